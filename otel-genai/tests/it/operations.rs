//! What each operation says, by the conventions 1.41.1.

use opentelemetry::trace::{SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use otel_genai::provider::{Api, Provider, RequestFacts, ResponseReader};
use otel_genai::{GenAi, GenAiConventions, GenAiMemoryOperation, PriceTable};
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry, span};

use crate::support::{DURATION, TOKENS, assert_conventions, builder, genai};

#[tokio::test]
async fn a_chat_in_four_lines() {
    let telemetry = TestTelemetry::new();
    let genai = genai(&telemetry);

    let mut chat = genai.chat(Provider::OpenAi, "gpt-4o").with_temperature(0.5).start();
    let answer: Result<&str, std::fmt::Error> = chat.call(async { Ok("Hi") }).await;
    chat.response().usage.input_tokens = Some(7);
    chat.end();

    assert_eq!(answer, Ok("Hi"));
    let expected = span("chat gpt-4o").client().has("gen_ai.usage.input_tokens", 7);
    telemetry.assert_span(expected.has("gen_ai.request.temperature", 0.5).has_no("error.type"));
    assert_conventions(&telemetry);
}

#[test]
fn what_is_set_one_by_one_is_what_is_read_of_a_request() {
    let told = |set: &dyn Fn(&GenAi)| {
        let telemetry = TestTelemetry::new();
        set(&genai(&telemetry));
        let mut attributes = telemetry.span("chat gpt-4o").attributes;
        attributes.sort_by(|one, other| one.key.cmp(&other.key));
        attributes
    };
    let read = told(&|genai| {
        let mut request = full_request();
        (request.top_k, request.frequency_penalty, request.presence_penalty) = (None, None, None);
        request.service_tier = None;
        genai.call_of(Api::OpenAiChat, Provider::OpenAi, request).start().end();
    });
    let set = told(&|genai| {
        let chat = genai.chat(Provider::OpenAi, "gpt-4o").with_api(Api::OpenAiChat).with_stream(true);
        let chat = chat.with_max_tokens(100).with_temperature(0.2).with_top_p(0.9).with_seed(42);
        let chat = chat.with_stop_sequences(["END", "STOP"]).with_choice_count(2).with_output_type("json");
        chat.with_conversation_id("conv_1").start().end();
    });
    assert_eq!(set, read);
}

fn full_request() -> RequestFacts {
    let mut request = RequestFacts::default();
    request.model = Some("gpt-4o".into());
    request.stream = true;
    request.max_tokens = Some(100);
    request.temperature = Some(0.2);
    request.top_p = Some(0.9);
    request.top_k = Some(40.0);
    request.frequency_penalty = Some(0.1);
    request.presence_penalty = Some(0.3);
    request.stop_sequences = vec!["END".into(), "STOP".into()];
    request.seed = Some(42);
    request.choice_count = Some(2);
    request.output_type = Some("json");
    request.service_tier = Some("default".into());
    request.conversation_id = Some("conv_1".into());
    request
}

#[test]
fn everything_that_is_known_of_a_call() {
    let telemetry = TestTelemetry::new();
    let call = genai(&telemetry).call_of(Api::OpenAiChat, Provider::OpenAi, full_request());
    let mut call = call.with_server("api.openai.com", 443).start();
    call.chunks(1);
    let response = call.response();
    response.id = Some("chatcmpl-1".into());
    response.model = Some("gpt-4o-2024-11-20".into());
    response.finish_reasons = vec!["stop".into(), "length".into()];
    response.usage.input_tokens = Some(100);
    response.usage.output_tokens = Some(20);
    response.usage.cache_read_input_tokens = Some(60);
    response.usage.cache_write_input_tokens = Some(10);
    response.usage.reasoning_output_tokens = Some(5);
    response.service_tier = Some("flex".into());
    response.system_fingerprint = Some("fp_1".into());
    call.end();

    assert_conventions(&telemetry);
    let time = otel_testing::any_value();
    telemetry.assert_span(
        span("chat gpt-4o")
            .client()
            .has("gen_ai.operation.name", "chat")
            .has("gen_ai.provider.name", "openai")
            .has("gen_ai.request.model", "gpt-4o")
            .has("gen_ai.request.stream", true)
            .has("gen_ai.request.max_tokens", 100)
            .has("gen_ai.request.temperature", 0.2)
            .has("gen_ai.request.top_p", 0.9)
            .has("gen_ai.request.top_k", 40.0)
            .has("gen_ai.request.frequency_penalty", 0.1)
            .has("gen_ai.request.presence_penalty", 0.3)
            .has("gen_ai.request.seed", 42)
            .has("gen_ai.request.choice.count", 2)
            .has("gen_ai.output.type", "json")
            .has("gen_ai.conversation.id", "conv_1")
            .has("gen_ai.response.id", "chatcmpl-1")
            .has("gen_ai.response.model", "gpt-4o-2024-11-20")
            .has("gen_ai.response.time_to_first_chunk", time)
            .has("gen_ai.usage.input_tokens", 100)
            .has("gen_ai.usage.output_tokens", 20)
            .has("gen_ai.usage.cache_read.input_tokens", 60)
            .has("gen_ai.usage.cache_creation.input_tokens", 10)
            .has("gen_ai.usage.reasoning.output_tokens", 5)
            .has("openai.api.type", "chat_completions")
            .has("openai.request.service_tier", "default")
            .has("openai.response.service_tier", "flex")
            .has("openai.response.system_fingerprint", "fp_1")
            .has("server.address", "api.openai.com")
            .has("server.port", 443),
    );
    let span = telemetry.span("chat gpt-4o");
    let list = |key: &str| span.attribute(key).unwrap().to_string();
    assert_eq!(list("gen_ai.request.stop_sequences"), "[\"END\",\"STOP\"]");
    assert_eq!(list("gen_ai.response.finish_reasons"), "[\"stop\",\"length\"]");
}

#[test]
fn the_metrics_of_a_call_and_their_buckets() {
    let telemetry = TestTelemetry::new();
    let mut call = genai(&telemetry).chat(Provider::Anthropic, "claude").with_server("localhost", 80).start();
    for chunks in [1, 1, 3] {
        call.chunks(chunks);
    }
    call.response().model = Some("claude-1".into());
    (call.response().usage.input_tokens, call.response().usage.output_tokens) = (Some(100), Some(20));
    call.end();

    assert_conventions(&telemetry);
    let common = [
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.response.model",
        "server.address",
        "server.port",
    ];
    telemetry.assert_metric(DURATION).is_histogram().has_unit("s").has_series(1).has_only_attributes(common);
    let with_type = common.into_iter().chain(["gen_ai.token.type"]);
    telemetry.assert_metric(TOKENS).has_unit("{token}").has_series(2).has_only_attributes(with_type);
    assert_eq!(telemetry.histogram_count("gen_ai.client.operation.time_to_first_chunk"), 1);
    assert_eq!(telemetry.histogram_count("gen_ai.client.operation.time_per_output_chunk"), 4);
    let bounds = |name: &str| telemetry.points(name)[0].histogram().unwrap().bounds.clone();
    let seconds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
    for name in [DURATION, "gen_ai.client.operation.time_per_output_chunk"] {
        assert_eq!(bounds(name), seconds, "{name}");
    }
    let tokens: Vec<f64> = (0..14).map(|power| 4_f64.powi(power)).collect();
    assert_eq!(bounds(TOKENS), tokens);
    let sums = telemetry.points(TOKENS);
    let sum = |kind: &str| {
        let point = sums.iter().find(|point| point.attributes.has("gen_ai.token.type", kind)).unwrap();
        point.histogram().unwrap().sum
    };
    assert_eq!((sum("input"), sum("output")), (Some(100.0), Some(20.0)));
}

/// As Cohere does.
#[test]
fn what_is_billed_counts_more_than_what_was_used() {
    let telemetry = TestTelemetry::new();
    let mut chat = genai(&telemetry).chat(Provider::Cohere, "command-r").start();
    let usage = &mut chat.response().usage;
    (usage.input_tokens, usage.billed_input_tokens) = (Some(100), Some(40));
    (usage.output_tokens, usage.billed_output_tokens) = (Some(10), None);
    chat.end();
    let tokens = telemetry.assert_metric(TOKENS);
    tokens.point([KeyValue::new("gen_ai.token.type", "input")]).has_sum(40.0);
    tokens.point([KeyValue::new("gen_ai.token.type", "output")]).has_sum(10.0);
    telemetry.assert_span(span("chat command-r").has("gen_ai.usage.input_tokens", 100));
}

#[test]
fn embeddings_have_their_own_attributes() {
    let telemetry = TestTelemetry::new();
    let mut request = RequestFacts::default();
    request.model = Some("embed-3".into());
    request.encoding_formats = vec!["float".into()];
    let mut call = genai(&telemetry).embeddings(Provider::OpenAi, "").with_request(request).start();
    (call.response().usage.input_tokens, call.response().dimensions) = (Some(8), Some(256));
    call.end();
    assert_conventions(&telemetry);
    let expected = span("embeddings embed-3").client().has("gen_ai.embeddings.dimension.count", 256);
    telemetry.assert_span(expected.has("gen_ai.usage.input_tokens", 8).has_no("gen_ai.usage.output_tokens"));
    telemetry.assert_metric(TOKENS).has_series(1);
}

#[test]
fn an_agent_s_run_is_a_tree_with_the_sum_of_its_tokens() {
    let telemetry = TestTelemetry::new();
    let genai = genai(&telemetry);
    let mut workflow = genai.invoke_workflow("support").with_conversation_id("conv_7").start();
    workflow.run(|| {
        let agent = genai.invoke_agent(Provider::OpenAi, "shop-assistant").with_model("gpt-4o");
        let mut agent = agent.with_id("asst_1").with_version("2").with_description("Answers").start();
        agent.run(|| {
            for tokens in [10, 20] {
                let mut chat = genai.chat(Provider::OpenAi, "gpt-4o").start();
                (chat.response().usage.input_tokens, chat.response().usage.output_tokens) =
                    (Some(tokens), Some(1));
                chat.end();
            }
            let tool = genai.execute_tool("lookup_order").with_call_id("call_1").with_type("function");
            tool.with_description("Finds an order").start().end();
        });
        agent.end();
    });
    workflow.end();

    assert_conventions(&telemetry);
    otel_testing::assert_trace!(telemetry, "invoke_workflow support" => {
        "invoke_agent shop-assistant" => { "chat gpt-4o", "chat gpt-4o", "execute_tool lookup_order" }
    });
    let agent = span("invoke_agent shop-assistant").internal().has("gen_ai.usage.input_tokens", 30);
    let agent = agent.has("gen_ai.usage.output_tokens", 2).has("gen_ai.agent.id", "asst_1");
    telemetry.assert_span(agent.has("gen_ai.conversation.id", "conv_7").has_no("server.address"));
    telemetry.assert_span(
        span("execute_tool lookup_order")
            .internal()
            .has("gen_ai.tool.name", "lookup_order")
            .has("gen_ai.tool.call.id", "call_1")
            .has("gen_ai.tool.type", "function")
            .has_no("gen_ai.conversation.id"),
    );
    assert!(
        telemetry
            .spans()
            .iter()
            .filter(|span| span.name == "chat gpt-4o")
            .all(|span| { span.has("gen_ai.conversation.id", "conv_7") })
    );
    // The agent's tokens are those of its calls: counted once.
    assert_eq!(telemetry.histogram_count(TOKENS), 4);
}

#[test]
fn agents_of_services_are_clients() {
    let telemetry = TestTelemetry::new();
    let genai = genai(&telemetry);
    let mut made = genai.create_agent(Provider::AwsBedrock, "clerk").with_server("bedrock.test", 443).start();
    made.set_id("agent-1");
    made.end();
    let mut known = genai.create_agent(Provider::AwsBedrock, "cook").with_id("agent-2").start();
    known.set_id("agent-3");
    known.end();
    let known = telemetry.span("create_agent cook");
    let ids = known.attributes.iter().filter(|pair| pair.key.as_str() == "gen_ai.agent.id");
    assert_eq!(ids.map(|pair| pair.value.to_string()).collect::<Vec<_>>(), ["agent-2"]);
    let remote = genai.invoke_agent(Provider::AwsBedrock, "clerk").remote().with_data_source_id("kb-1");
    remote.with_server("bedrock.test", 443).start().end();
    genai.invoke_agent(Provider::OpenAi, "").start().end();
    assert_conventions(&telemetry);
    telemetry.assert_span(span("create_agent clerk").client().has("gen_ai.agent.id", "agent-1"));
    telemetry.assert_span(span("invoke_agent clerk").client().has("server.address", "bedrock.test"));
    telemetry.assert_span(span("invoke_agent").internal().has_no("gen_ai.agent.name"));
}

/// A remote agent may call back tools that ask models here.
#[test]
fn tokens_inside_of_a_remote_agent_are_counted_once() {
    let telemetry = TestTelemetry::new();
    let genai = genai(&telemetry);
    let mut agent = genai.invoke_agent(Provider::AwsBedrock, "clerk").remote().start();
    agent.run(|| {
        let mut chat = genai.chat(Provider::OpenAi, "gpt-4o").start();
        (chat.response().usage.input_tokens, chat.response().usage.output_tokens) = (Some(100), Some(10));
        chat.end();
    });
    agent.end();
    assert_eq!(telemetry.metric(TOKENS).total(), 110.0);
    telemetry.assert_span(span("invoke_agent clerk").has("gen_ai.usage.input_tokens", 100));
    // What the service itself reports is its own.
    let mut agent = genai.invoke_agent(Provider::AwsBedrock, "clerk").remote().start();
    agent.response().usage.input_tokens = Some(7);
    agent.end();
    assert_eq!(telemetry.metric(TOKENS).total(), 117.0);
}

#[test]
fn a_retrieval() {
    let telemetry = TestTelemetry::new();
    let retrieval = genai(&telemetry).retrieval("kb-1").with_provider(Provider::OpenAi).with_top_k(3);
    let mut retrieval = retrieval.with_model("embed").start();
    retrieval.set_query("not to be seen");
    retrieval.end();
    assert_conventions(&telemetry);
    telemetry.assert_span(span("retrieval kb-1").client().has("gen_ai.request.top_k", 3.0));
    telemetry.assert_no_secrets(["not to be seen"]);
}

#[test]
fn plans_and_memory_are_not_of_this_version() {
    let telemetry = TestTelemetry::new();
    let genai = genai(&telemetry);
    let mut plan = genai.plan("clerk").start();
    let inside = plan.run(|| {
        genai.chat(Provider::OpenAi, "gpt-4o").start().end();
        Context::current().span().span_context().is_valid()
    });
    plan.end();
    genai.memory(GenAiMemoryOperation::Search).start().end();
    assert!(!inside);
    assert_eq!(telemetry.spans().len(), 1);
}

#[test]
fn a_model_in_the_process() {
    let telemetry = TestTelemetry::new();
    genai(&telemetry).chat(Provider::Other("candle".into()), "phi").in_process(true).start().end();
    assert_eq!(telemetry.span("chat phi").span_kind, SpanKind::Internal);
}

#[test]
fn the_span_is_the_parent_of_what_happens_inside_and_a_child_of_what_is_around() {
    let telemetry = TestTelemetry::new();
    let tracer = telemetry.tracer_provider().tracer("app");
    let genai = genai(&telemetry);
    tracer.in_span("handler", |_| {
        let mut chat = genai.chat(Provider::OpenAi, "gpt-4o").start();
        chat.run(|| tracer.in_span("POST", |_| ()));
        chat.end();
    });
    otel_testing::assert_trace!(telemetry, "handler" => { "chat gpt-4o" => { "POST" } });
}

#[test]
fn hooks_name_filter_and_add_and_their_panics_change_nothing() {
    let telemetry = TestTelemetry::new();
    let genai = builder(&telemetry)
        .with_filter(|request| request.operation_name() != "embeddings")
        .with_span_name(|request| Some(format!("ask {}", request.provider()?).into()))
        .with_attributes(|request, attributes| attributes.both("app.tool", request.tool_name().is_some()))
        .with_response_attributes(|response, attributes| {
            attributes.span("app.choices", response.choices as i64);
        })
        .build();
    genai.embeddings(Provider::OpenAi, "e").start().end();
    genai.chat(Provider::OpenAi, "gpt-4o").start().end();
    let spans = telemetry.spans();
    assert_eq!(spans.len(), 1);
    assert!(
        spans[0].has("app.tool", false) && spans[0].has("app.choices", 0) && spans[0].name == "ask openai"
    );

    let telemetry = TestTelemetry::new();
    let genai = builder(&telemetry)
        .with_filter(|_| panic!("a test panics here"))
        .with_span_name(|_| panic!("a test panics here"))
        .with_attributes(|_, _| panic!("a test panics here"))
        .with_response_attributes(|_, _| panic!("a test panics here"))
        .build();
    genai.chat(Provider::OpenAi, "gpt-4o").start().end();
    telemetry.assert_span(span("chat gpt-4o").client().has_no("error.type"));
}

/// "The attribute keys [...] MUST be unique", and the SDK does not look.
#[test]
fn what_hooks_say_once_more_is_left_out() {
    let telemetry = TestTelemetry::new();
    let genai = builder(&telemetry)
        .with_attributes(|_, attributes| {
            for name in ["gen_ai.request.model", "gen_ai.response.model", "error.type", "gen_ai.agent.name"] {
                attributes.both(name, "mine");
            }
            attributes.both("app.tenant", "first");
        })
        .with_response_attributes(|_, attributes| {
            for name in ["gen_ai.request.model", "gen_ai.response.model", "gen_ai.usage.input_tokens"] {
                attributes.both(name, "mine");
            }
            for name in ["app.tenant", "app.step", "app.answer"] {
                attributes.both(name, "last");
            }
        })
        .build();
    let mut chat = genai.chat(Provider::OpenAi, "gpt-4o").start();
    for (name, value) in [("app.tenant", "second"), ("app.step", "first"), ("app.step", "second")] {
        chat.set_attribute(KeyValue::new(name, value));
    }
    chat.response().model = Some("gpt-4o-2024".to_owned());
    chat.response().usage.input_tokens = Some(3);
    chat.fail("refused");

    let span = telemetry.span("chat gpt-4o");
    let values = |name: &str| -> Vec<_> {
        let all = span.attributes.iter().filter(|pair| pair.key.as_str() == name);
        all.map(|pair| pair.value.to_string()).collect()
    };
    assert_eq!(values("gen_ai.request.model"), ["gpt-4o"]);
    assert_eq!(values("gen_ai.response.model"), ["gpt-4o-2024"]);
    assert_eq!(values("gen_ai.usage.input_tokens"), ["3"]);
    assert_eq!(values("error.type"), ["refused"]);
    assert_eq!(values("app.tenant"), ["first"]);
    assert_eq!(values("app.step"), ["second"]);
    assert_eq!(values("app.answer"), ["last"]);
    // Nobody else knows it.
    assert_eq!(values("gen_ai.agent.name"), ["mine"]);
    telemetry.assert_metric(DURATION).point([
        KeyValue::new("gen_ai.operation.name", "chat"),
        KeyValue::new("gen_ai.provider.name", "openai"),
        KeyValue::new("gen_ai.request.model", "gpt-4o"),
        KeyValue::new("gen_ai.response.model", "gpt-4o-2024"),
        KeyValue::new("gen_ai.agent.name", "mine"),
        KeyValue::new("app.tenant", "first"),
        KeyValue::new("app.answer", "last"),
        KeyValue::new("error.type", "refused"),
    ]);
}

#[test]
fn models_that_strangers_choose_do_not_flood_metrics_and_names() {
    let telemetry = TestTelemetry::new();
    let genai = genai(&telemetry);
    for number in 0..500 {
        let mut chat = genai.chat(Provider::OpenAi, format!("model-{number}")).start();
        chat.response().model = Some(format!("model-{number}"));
        chat.end();
    }
    telemetry.assert_metric(DURATION).has_series(201);
    let names: std::collections::HashSet<_> = telemetry.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names.len(), 201);
    assert!(telemetry.spans().last().unwrap().has("gen_ai.request.model", "model-499"));
}

#[test]
fn a_cost_is_estimated_for_models_of_the_table_alone() {
    let table = r#"{ "format": 1, "version": "2026-11", "currency": "EUR", "models": [
        { "provider": "openai", "model": "gpt-4o*", "per": 1000, "input": 2.0, "output": 8.0 }]}"#;
    let telemetry = TestTelemetry::new();
    let prices = PriceTable::from_json(table).unwrap();
    let genai = builder(&telemetry).with_price_table(prices).build();
    let mut agent = genai.invoke_agent(Provider::OpenAi, "a").with_model("gpt-4o").start();
    agent.run(|| {
        for model in ["gpt-4o-mini", "unknown"] {
            let mut chat = genai.chat(Provider::OpenAi, model).start();
            (chat.response().usage.input_tokens, chat.response().usage.output_tokens) =
                (Some(1_000), Some(500));
            chat.end();
        }
    });
    agent.end();
    let expected = span("chat gpt-4o-mini").has("otel_genai.estimated_cost", 6.0);
    telemetry.assert_span(expected.has("otel_genai.price_table.version", "2026-11"));
    telemetry.assert_span(span("chat unknown").client().has_no("otel_genai.estimated_cost"));
    telemetry.assert_span(span("invoke_agent a").internal().has_no("otel_genai.estimated_cost"));
    let metric = telemetry.assert_metric("otel_genai.client.estimated_cost");
    metric.is_counter().has_unit("{EUR}").has_total(6.0);
    assert_conventions(&telemetry);
}

#[test]
fn nothing_is_recorded_without_providers_and_under_suppression() {
    let genai = GenAi::new();
    let mut chat = genai.chat(Provider::OpenAi, "gpt-4o").start();
    assert_eq!(chat.run(|| 7), 7);
    chat.end();

    let telemetry = TestTelemetry::new();
    let suppressed = Context::new().with_telemetry_suppressed();
    let mut chat = crate::support::genai(&telemetry).chat(Provider::OpenAi, "gpt-4o").start_in(&suppressed);
    chat.chunks(1);
    chat.end();
    assert!(telemetry.spans().is_empty() && telemetry.metrics().is_empty());
}

/// Of a server that counts as it likes; an SDK adds up without looking.
#[test]
fn huge_counts_of_tokens_harm_nobody() {
    for conventions in [GenAiConventions::V1_41, GenAiConventions::Latest] {
        let telemetry = TestTelemetry::new();
        let genai = builder(&telemetry).with_conventions(conventions).build();
        let mut agent = genai.invoke_agent(Provider::OpenAi, "a").start();
        agent.run(|| {
            for count in [i64::MAX, i64::MAX, i64::MAX, -1, i64::MIN] {
                let mut reader = ResponseReader::new(Api::OpenAiChat, false);
                reader.read(
                    format!(r#"{{"usage":{{"prompt_tokens":{count},"completion_tokens":{count}}}}}"#)
                        .as_bytes(),
                );
                let mut chat = genai.chat(Provider::OpenAi, "m").start();
                *chat.response() = reader.finish();
                chat.end();
                let mut chat = genai.chat(Provider::OpenAi, "m").start();
                (chat.response().usage.input_tokens, chat.response().usage.output_tokens) =
                    (Some(count), Some(count));
                chat.end();
            }
        });
        agent.end();
        assert_eq!(telemetry.spans().len(), 11);
        let tokens = telemetry.metrics().into_iter().filter(|metric| metric.name.contains("token"));
        for point in tokens.flat_map(|metric| metric.points) {
            assert!(point.total() >= 0.0 && point.total() < 1e19, "{point:?}");
        }
    }
}
