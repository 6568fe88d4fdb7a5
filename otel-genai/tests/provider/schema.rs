//! JSON schemas, as much of them as ours use: `type`, `const`, `enum`, `not`, `oneOf`, `anyOf`, `required`, `properties`,
//! `items`, `$ref`. A library for all of them would bring 26 crates.

use serde_json::Value;

/// The schemas of content, by the attribute that has it.
pub(crate) fn schema(attribute: &str) -> Value {
    let text = match attribute {
        "gen_ai.input.messages" => include_str!("schemas/input-messages.json"),
        "gen_ai.output.messages" => include_str!("schemas/output-messages.json"),
        "gen_ai.system_instructions" => include_str!("schemas/system-instructions.json"),
        "gen_ai.tool.definitions" => include_str!("schemas/tool-definitions.json"),
        other => panic!("{other} has no schema"),
    };
    serde_json::from_str(text).unwrap()
}

#[track_caller]
pub(crate) fn assert_valid(attribute: &str, value: &Value) {
    let root = schema(attribute);
    if let Err(error) = check(&root, &root, value) {
        panic!("{attribute}: {error}\n{value:#}");
    }
}

fn check(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$comment" | "$defs" | "additionalProperties" => {}
            "$ref" => {
                let name = rule.as_str().unwrap().strip_prefix("#").unwrap();
                check(root, root.pointer(name).unwrap(), value)?;
            }
            "type" => check_type(rule.as_str().unwrap(), value)?,
            "const" if value == rule => {}
            "enum" if rule.as_array().unwrap().contains(value) => {}
            "not" if check(root, rule, value).is_err() => {}
            "anyOf" if matching(root, rule, value) > 0 => {}
            "oneOf" if matching(root, rule, value) == 1 => {}
            "const" | "enum" | "not" | "anyOf" | "oneOf" => {
                return Err(format!("{value} is against {keyword} {rule}"));
            }
            "required" => {
                let missing =
                    rule.as_array().unwrap().iter().find(|name| value.get(name.as_str().unwrap()).is_none());
                if let Some(name) = missing {
                    return Err(format!("{value} lacks {name}"));
                }
            }
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(field) = value.get(name) {
                        check(root, rule, field)?;
                    }
                }
            }
            "items" => value.as_array().into_iter().flatten().try_for_each(|item| check(root, rule, item))?,
            other => panic!("this checker does not know {other}"),
        }
    }
    Ok(())
}

fn matching(root: &Value, rules: &Value, value: &Value) -> usize {
    rules.as_array().unwrap().iter().filter(|rule| check(root, rule, value).is_ok()).count()
}

fn check_type(name: &str, value: &Value) -> Result<(), String> {
    let is = match name {
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("this checker does not know the type {other}"),
    };
    if is { Ok(()) } else { Err(format!("{value} is not of type {name}")) }
}

#[test]
fn the_checker_refuses_what_is_wrong() {
    use serde_json::json;
    let refuses = |value: Value| {
        let schema = schema("gen_ai.output.messages");
        check(&schema, &schema, &json!([value])).is_err()
    };
    let with = |part: Value| json!({"role": "assistant", "finish_reason": "stop", "parts": [part]});
    assert!(!refuses(with(json!({"type": "text", "content": "x"}))));
    assert!(!refuses(with(json!({"type": "of a provider", "x": 1}))));
    assert!(refuses(with(json!({"type": "text"}))));
    assert!(refuses(with(json!({"type": "text", "content": 1}))));
    assert!(refuses(with(json!({"type": "tool_call"}))));
    assert!(refuses(with(json!({"content": "x"}))));
    assert!(refuses(json!({"role": "assistant", "parts": []})));
    assert!(refuses(json!({"finish_reason": "stop", "parts": []})));
    assert!(refuses(json!("x")));
}
