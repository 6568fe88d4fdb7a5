//! The business figures: one instrument of every kind, with units, and attributes of few values only.

use opentelemetry::KeyValue;
use opentelemetry::global;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter};

fn meter() -> Meter {
    global::meter("shop")
}

/// Whole cents as euros: the figures are in the currency people think in.
pub(crate) fn euros(cents: i64) -> f64 {
    cents as f64 / 100.0
}

/// What the gateway sees of its visitors.
pub(crate) struct GatewayInstruments {
    /// Pages shown, by page.
    pub(crate) page_views: Counter<u64>,
    /// Steps taken on the way from a product to an order, by step.
    pub(crate) funnel_steps: Counter<u64>,
    /// Carts that became orders, by tier.
    pub(crate) conversions: Counter<u64>,
    /// Carts with something in them.
    pub(crate) active_carts: UpDownCounter<i64>,
    /// Calls of the shop's interface, by route and outcome.
    pub(crate) api_calls: Counter<u64>,
}

impl GatewayInstruments {
    pub(crate) fn new() -> Self {
        let meter = meter();
        Self {
            page_views: meter
                .u64_counter("shop.page.views")
                .with_unit("{view}")
                .with_description("Pages shown.")
                .build(),
            funnel_steps: meter
                .u64_counter("shop.funnel.steps")
                .with_unit("{step}")
                .with_description("Steps taken from product to cart, checkout and order.")
                .build(),
            conversions: meter
                .u64_counter("shop.conversions")
                .with_unit("{conversion}")
                .with_description("Carts that became orders.")
                .build(),
            active_carts: meter
                .i64_up_down_counter("shop.carts.active")
                .with_unit("{cart}")
                .with_description("Carts with something in them.")
                .build(),
            api_calls: meter
                .u64_counter("shop.api.calls")
                .with_unit("{call}")
                .with_description("Calls of the shop's interface, by outcome.")
                .build(),
        }
    }
}

/// What the users service sees of logins.
pub(crate) struct UsersInstruments {
    /// Logins tried, by outcome and reason.
    pub(crate) login_attempts: Counter<u64>,
    /// How long a login takes.
    pub(crate) login_duration: Histogram<f64>,
}

impl UsersInstruments {
    pub(crate) fn new() -> Self {
        let meter = meter();
        Self {
            login_attempts: meter
                .u64_counter("shop.login.attempts")
                .with_unit("{attempt}")
                .with_description("Logins tried, by outcome and reason.")
                .build(),
            login_duration: meter
                .f64_histogram("shop.login.duration")
                .with_unit("s")
                .with_description("Time to decide on a login.")
                .with_boundaries(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0])
                .build(),
        }
    }
}

/// What the orders service sells.
pub(crate) struct OrdersInstruments {
    /// Orders, by outcome and tier.
    pub(crate) orders: Counter<u64>,
    /// Pieces sold, by product.
    pub(crate) items_sold: Counter<u64>,
    /// Money taken.
    pub(crate) revenue: Counter<f64>,
    /// What an order is worth.
    pub(crate) order_value: Histogram<f64>,
}

impl OrdersInstruments {
    pub(crate) fn new() -> Self {
        let meter = meter();
        Self {
            orders: meter
                .u64_counter("shop.orders")
                .with_unit("{order}")
                .with_description("Orders, by outcome.")
                .build(),
            items_sold: meter
                .u64_counter("shop.items.sold")
                .with_unit("{item}")
                .with_description("Pieces sold.")
                .build(),
            revenue: meter
                .f64_counter("shop.revenue")
                .with_unit("{EUR}")
                .with_description("Money taken.")
                .build(),
            order_value: meter
                .f64_histogram("shop.order.value")
                .with_unit("{EUR}")
                .with_description("Value of the orders taken.")
                .with_boundaries(vec![10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0])
                .build(),
        }
    }
}

/// What the inventory knows of a product.
pub(crate) struct InventoryInstruments {
    /// The price of a product: set whenever it changes.
    pub(crate) price: Gauge<f64>,
}

impl InventoryInstruments {
    /// `stock` is asked whenever metrics are collected.
    pub(crate) fn new(stock: impl Fn() -> Vec<(&'static str, u64)> + Send + Sync + 'static) -> Self {
        let meter = meter();
        // The provider keeps the callback: nothing has to hold the instrument.
        let _stock = meter
            .u64_observable_gauge("shop.stock")
            .with_unit("{item}")
            .with_description("Pieces in stock, by product.")
            .with_callback(move |observer| {
                for (product, pieces) in stock() {
                    observer.observe(pieces, &[product_attribute(product)]);
                }
            })
            .build();
        Self {
            price: meter
                .f64_gauge("shop.product.price")
                .with_unit("{EUR}")
                .with_description("Price of one piece, by product.")
                .build(),
        }
    }
}

/// What the notifications service has sent.
pub(crate) struct NotificationsInstruments {
    /// Messages to customers, by channel.
    pub(crate) sent: Counter<u64>,
}

impl NotificationsInstruments {
    pub(crate) fn new() -> Self {
        let sent = meter()
            .u64_counter("shop.notifications.sent")
            .with_unit("{message}")
            .with_description("Messages to customers, by channel.")
            .build();
        Self { sent }
    }
}

/// The product as an attribute. The catalogue is short, so a metric may have it.
pub(crate) fn product_attribute(sku: impl Into<opentelemetry::StringValue>) -> KeyValue {
    KeyValue::new("shop.product", sku.into())
}
