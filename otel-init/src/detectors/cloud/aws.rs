//! Amazon: Lambda, ECS, EC2.

use http::Method;
use opentelemetry::Value;

use super::{ask, ask_json, cloud, text};
use crate::config::Variables;
use crate::detectors::{Attribute, some};

pub(crate) const VARIABLES: &[&str] = &[
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_REGION",
    "ECS_CONTAINER_METADATA_URI_V4",
    // Where the tools of AWS look too.
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
];

pub(crate) fn detect(variables: &Variables) -> Vec<Attribute> {
    if let Some(name) = variables.text("AWS_LAMBDA_FUNCTION_NAME") {
        return lambda(name, variables);
    }
    if let Some(uri) = variables.text("ECS_CONTAINER_METADATA_URI_V4") {
        return ecs(&uri);
    }
    let base = variables.text("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    ec2(base.as_deref().unwrap_or("http://169.254.169.254").trim_end_matches('/'))
}

fn lambda(name: String, variables: &Variables) -> Vec<Attribute> {
    let memory = variables.text("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
    let memory = memory.and_then(|mebibytes| mebibytes.parse::<i64>().ok()?.checked_mul(1024 * 1024));
    cloud(
        "aws",
        "aws_lambda",
        [
            some("cloud.region", variables.text("AWS_REGION")),
            some("faas.name", Some(name)),
            some("faas.version", variables.text("AWS_LAMBDA_FUNCTION_VERSION")),
            some("faas.instance", variables.text("AWS_LAMBDA_LOG_STREAM_NAME")),
            some("faas.max_memory", memory),
            some("aws.log.group.names", variables.text("AWS_LAMBDA_LOG_GROUP_NAME").map(list)),
            some("aws.log.stream.names", variables.text("AWS_LAMBDA_LOG_STREAM_NAME").map(list)),
        ],
    )
}

fn list(text: String) -> Value {
    Value::Array(vec![opentelemetry::StringValue::from(text)].into())
}

fn ecs(uri: &str) -> Vec<Attribute> {
    let (Some(container), Some(task)) = (ask_json(uri, &[]), ask_json(&format!("{uri}/task"), &[])) else {
        return Vec::new();
    };
    let arn = text(&task, "/TaskARN");
    // arn:aws:ecs:region:account:task/.., in China arn:aws-cn:..
    let part = |place: usize| arn.as_deref()?.split(':').nth(place).map(str::to_owned);
    let cluster = text(&task, "/Cluster").map(|cluster| {
        match (cluster.starts_with("arn:"), part(1), part(3), part(4)) {
            (false, Some(partition), Some(region), Some(account)) => {
                format!("arn:{partition}:ecs:{region}:{account}:cluster/{cluster}")
            }
            _ => cluster,
        }
    });
    cloud(
        "aws",
        "aws_ecs",
        [
            some("cloud.region", part(3)),
            some("cloud.account.id", part(4)),
            some("cloud.availability_zone", text(&task, "/AvailabilityZone")),
            some("cloud.resource_id", text(&container, "/ContainerARN")),
            some("container.id", text(&container, "/DockerId")),
            some("aws.ecs.container.arn", text(&container, "/ContainerARN")),
            some("aws.ecs.cluster.arn", cluster),
            some("aws.ecs.launchtype", text(&task, "/LaunchType").map(|kind| kind.to_ascii_lowercase())),
            some("aws.ecs.task.arn", arn.clone()),
            some("aws.ecs.task.family", text(&task, "/Family")),
            some("aws.ecs.task.revision", text(&task, "/Revision")),
        ],
    )
}

/// With a token first, as version 2 of the service wants it.
fn ec2(base: &str) -> Vec<Attribute> {
    let ttl = [("x-aws-ec2-metadata-token-ttl-seconds", "60")];
    let token = ask(Method::PUT, &format!("{base}/latest/api/token"), &ttl);
    let token = token.and_then(|token| String::from_utf8(token.to_vec()).ok());
    let headers = token.as_deref().map(|token| ("x-aws-ec2-metadata-token", token));
    let url = format!("{base}/latest/dynamic/instance-identity/document");
    let Some(document) = headers.and_then(|header| ask_json(&url, &[header])) else {
        return Vec::new();
    };
    cloud(
        "aws",
        "aws_ec2",
        [
            some("cloud.region", text(&document, "/region")),
            some("cloud.account.id", text(&document, "/accountId")),
            some("cloud.availability_zone", text(&document, "/availabilityZone")),
            some("host.id", text(&document, "/instanceId")),
            some("host.type", text(&document, "/instanceType")),
            some("host.image.id", text(&document, "/imageId")),
        ],
    )
}
