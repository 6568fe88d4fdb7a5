//! One case many times, for a profiler: `repeat <case> <phase> <times>`.

use bench_db::{SQL, one_connection, one_connection_0_8, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, case, phase, times] = arguments.as_slice() else {
        panic!("repeat <bare|ours|sqlx-otel|bare-0.8|sqlx-tracing> <sampled|unsampled> <times>")
    };
    let times: usize = times.parse().expect("a number");
    telemetry::install();
    telemetry::sample(phase == "sampled");
    macro_rules! repeat {
        ($query:expr, $executor:expr) => {
            for _ in 0..times {
                $query.fetch_one($executor).await.expect("a row");
            }
        };
    }
    let message = "a database in memory";
    match case.as_str() {
        "ours" => {
            let pool = otel_db::sqlx::Pool::from(one_connection().await.expect(message));
            let mut connection = pool.acquire().await.expect(message);
            repeat!(sqlx::query(SQL), &mut *connection);
        }
        "sqlx-otel" => {
            let pool = sqlx_otel::PoolBuilder::from(one_connection().await.expect(message)).build();
            let mut connection = pool.acquire().await.expect(message);
            repeat!(sqlx::query(SQL), &mut connection);
        }
        "sqlx-tracing" => {
            let pool = sqlx_tracing::Pool::from(one_connection_0_8().await.expect(message));
            let mut connection = pool.acquire().await.expect(message);
            repeat!(sqlx_0_8::query(SQL), &mut connection);
        }
        "bare-0.8" => {
            let mut connection = one_connection_0_8().await.expect(message).acquire().await.expect(message);
            repeat!(sqlx_0_8::query(SQL), &mut *connection);
        }
        _ => {
            let mut connection = one_connection().await.expect(message).acquire().await.expect(message);
            repeat!(sqlx::query(SQL), &mut *connection);
        }
    }
}
