//! Answers questions about orders: an agent that asks a model, which asks for a tool.

mod agent;
mod completion;
mod model;

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use otel_genai::GenAi;
use serde::{Deserialize, Serialize};

use self::agent::Agent;
use self::completion::Model;
use super::database;
use super::json::Body;
use super::server::{ServerOptions, serve_and_finish};
use crate::error::ShopError;
use crate::{Failure, telemetry};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The database of the orders service.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// A server that speaks OpenAI's API, such as `https://api.openai.com/v1`. Without it a small one of our own answers.
    #[arg(long, env = "OPENAI_BASE_URL")]
    openai_base_url: Option<String>,
    /// The key for that server.
    #[arg(long, env = "OPENAI_API_KEY", hide_env_values = true)]
    openai_api_key: Option<String>,
    /// The model to ask.
    #[arg(long, env = "OPENAI_MODEL", default_value = "gpt-4o-mini")]
    openai_model: String,
    #[command(flatten)]
    server: ServerOptions,
}

/// What a customer asks.
#[derive(Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) customer_id: u32,
    pub(crate) question: String,
}

/// What the assistant says.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) answer: String,
}

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let telemetry = telemetry::install("assistant")?;
    let genai = GenAi::builder().with_logger_provider(telemetry.logger_provider()).build();
    let model = match (options.openai_base_url, options.openai_api_key) {
        (Some(url), key) => Model::real(&genai, &url, key, options.openai_model)?,
        // A key without a server is one for the provider itself.
        (None, Some(key)) => {
            Model::real(&genai, "https://api.openai.com/v1", Some(key), options.openai_model)?
        }
        (None, None) => Model::of_our_own(&genai, &model::start().await?, options.openai_model)?,
    };
    let orders = database::open(&options.database_url, "assistant").await?;
    let agent = Agent { genai, model, orders: orders.clone() };
    let routes = Router::new().route("/questions", post(question)).with_state(Arc::new(agent));
    serve_and_finish(options.server, routes, None, async { orders.close().await }, telemetry).await
}

async fn question(
    State(agent): State<Arc<Agent>>,
    Body(question): Body<Question>,
) -> Result<Json<Answer>, ShopError> {
    Ok(Json(Answer { answer: agent.answer(&question).await? }))
}
