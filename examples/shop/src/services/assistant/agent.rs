//! The agent: asks the model until it has an answer, and does in between what the model wants done.

use otel_genai::GenAi;
use otel_genai::provider::Provider;
use serde_json::{Value, json};

use super::Question;
use super::completion::{Completion, Model, ToolCall};
use crate::error::{Outcome, ShopError};
use crate::services::database::Database;

const INSTRUCTIONS: &str =
    "You are the assistant of an online shop. Answer in one sentence. Look orders up when asked.";
const LOOKUP: &str = "lookup_orders";
/// A model that never stops asking for tools is stopped.
const MAX_TURNS: usize = 4;

pub(super) struct Agent {
    pub(super) genai: GenAi,
    pub(super) model: Model,
    pub(super) orders: Database,
}

impl Agent {
    /// One run of the agent: its span holds those of the model and of the tool, and the sum of their tokens.
    pub(super) async fn answer(&self, question: &Question) -> Result<String, ShopError> {
        let mut run =
            self.genai.invoke_agent(Provider::OpenAi, "shop-assistant").with_model(self.model.name()).start();
        let answer = run.call(self.converse(question)).await?;
        run.end();
        Ok(answer)
    }

    async fn converse(&self, question: &Question) -> Result<String, ShopError> {
        let mut messages = vec![
            json!({ "role": "system", "content": INSTRUCTIONS }),
            json!({ "role": "user", "content": question.question }),
        ];
        for _ in 0..MAX_TURNS {
            match self.model.complete(&messages, &tools()).await? {
                Completion::Text(answer) => return Ok(answer),
                Completion::ToolCalls(calls) => {
                    messages.push(json!({ "role": "assistant", "tool_calls": calls }));
                    for call in calls {
                        let result = self.execute(&call, question.customer_id).await?;
                        messages.push(
                            json!({ "role": "tool", "tool_call_id": call.id, "content": result.to_string() }),
                        );
                    }
                }
            }
        }
        Err(ShopError::new(Outcome::ServiceUnavailable, "the assistant came to no answer"))
    }

    async fn execute(&self, call: &ToolCall, customer_id: u32) -> Result<Value, ShopError> {
        if call.function.name != LOOKUP {
            // A name that a model has made up is none of ours: no span is named after it.
            return Ok(json!({ "error": "there is no such tool" }));
        }
        let mut tool =
            self.genai.execute_tool(LOOKUP).with_type("function").with_call_id(call.id.clone()).start();
        // Whose orders are looked up is not for the model to say.
        let found = tool.call(self.lookup(customer_id)).await?;
        tool.end();
        Ok(found)
    }

    async fn lookup(&self, customer_id: u32) -> Result<Value, sqlx::Error> {
        let query =
            "SELECT id, state, total_cents FROM orders WHERE customer_id = $1 ORDER BY number DESC LIMIT 5";
        let rows: Vec<(String, String, Option<i64>)> =
            sqlx::query_as(query).bind(customer_id.to_string()).fetch_all(&self.orders).await?;
        let orders = rows
            .into_iter()
            .map(|(id, state, total_cents)| json!({ "id": id, "state": state, "total_cents": total_cents }));
        Ok(orders.collect())
    }
}

fn tools() -> Value {
    json!([{ "type": "function", "function": {
        "name": LOOKUP,
        "description": "The customer's last orders, the newest first.",
        "parameters": { "type": "object", "properties": {} },
    } }])
}
