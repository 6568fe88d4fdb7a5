//! The clouds, played by a server of this machine.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use opentelemetry::{Key, Value};

use super::{aws, azure, gcp};
use crate::config::{Environment, Variables};

/// Answers by path, and keeps what it was asked.
struct Server {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answers: &'static [(&'static str, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let mut head = Vec::new();
                let mut byte = [0; 1];
                while !head.ends_with(b"\r\n\r\n") && connection.read_exact(&mut byte).is_ok() {
                    head.extend(byte);
                }
                let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                kept.lock().unwrap().push(head);
                let answer = answers.iter().find(|(known, _)| path.eq_ignore_ascii_case(known));
                let (status, body) = answer.map_or(("404 Not Found", ""), |(_, body)| ("200 OK", *body));
                let length = body.len();
                let _ = write!(
                    connection,
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
            }
        });
        Self { base, asked }
    }

    fn was_asked(&self, text: &str) -> bool {
        self.asked.lock().unwrap().iter().any(|head| head.contains(text))
    }
}

fn detected(
    detect: fn(&Variables) -> Vec<(Key, Value)>,
    names: &[&'static str],
    variables: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let lookup =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    shown(detect(&Variables::read(names, &Environment::new(&lookup))))
}

fn shown(attributes: Vec<(Key, Value)>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn expect(found: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    let expected: BTreeMap<_, _> =
        expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    assert_eq!(found, &expected);
}

#[test]
fn a_machine_of_amazon_gives_a_token_and_then_its_document() {
    let server = Server::start(&[
        ("/latest/api/token", "t0ken"),
        (
            "/latest/dynamic/instance-identity/document",
            r#"{"accountId":"123","region":"eu-west-1","availabilityZone":"eu-west-1a","instanceId":"i-1","instanceType":"m5.large","imageId":"ami-1"}"#,
        ),
    ]);
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.base.as_str())];
    let found = detected(aws::detect, aws::VARIABLES, &variables);
    expect(
        &found,
        &[
            ("cloud.provider", "aws"),
            ("cloud.platform", "aws_ec2"),
            ("cloud.region", "eu-west-1"),
            ("cloud.account.id", "123"),
            ("cloud.availability_zone", "eu-west-1a"),
            ("host.id", "i-1"),
            ("host.type", "m5.large"),
            ("host.image.id", "ami-1"),
        ],
    );
    assert!(server.was_asked("put /latest/api/token") && server.was_asked("x-aws-ec2-metadata-token: t0ken"));
    let nobody = Server::start(&[]);
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", nobody.base.as_str())];
    expect(&detected(aws::detect, aws::VARIABLES, &variables), &[]);
}

#[test]
fn a_task_and_a_function_of_amazon_are_known_by_their_variables() {
    let server = Server::start(&[
        ("/v4/1", r#"{"DockerId":"d1","ContainerARN":"arn:aws:ecs:eu-west-1:123:container/c"}"#),
        (
            "/v4/1/task",
            r#"{"Cluster":"shop","TaskARN":"arn:aws-cn:ecs:eu-west-1:123:task/shop/t","Family":"orders","Revision":"7","LaunchType":"FARGATE","AvailabilityZone":"eu-west-1b"}"#,
        ),
    ]);
    let uri = format!("{}/v4/1", server.base);
    let found = detected(aws::detect, aws::VARIABLES, &[("ECS_CONTAINER_METADATA_URI_V4", &uri)]);
    for (key, value) in [
        ("cloud.platform", "aws_ecs"),
        ("cloud.account.id", "123"),
        ("cloud.region", "eu-west-1"),
        ("aws.ecs.cluster.arn", "arn:aws-cn:ecs:eu-west-1:123:cluster/shop"),
        ("aws.ecs.launchtype", "fargate"),
        ("aws.ecs.task.revision", "7"),
        ("container.id", "d1"),
    ] {
        assert_eq!(found.get(key).map(String::as_str), Some(value), "{key}: {found:?}");
    }
    let function = [
        ("AWS_LAMBDA_FUNCTION_NAME", "charge"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_REGION", "eu-west-1"),
    ];
    let found = detected(aws::detect, aws::VARIABLES, &function);
    assert_eq!(found["faas.max_memory"], "134217728");
    assert_eq!((&*found["faas.name"], &*found["cloud.platform"]), ("charge", "aws_lambda"));
}

#[test]
fn google_is_asked_for_everything_at_once() {
    let server = Server::start(&[(
        "/computeMetadata/v1/?recursive=true",
        r#"{"project":{"projectId":"shop"},"instance":{"id":42,"name":"vm-1","zone":"projects/1/zones/europe-west1-b","machineType":"projects/1/machineTypes/n1","attributes":{"cluster-name":"prod"}}}"#,
    )]);
    let host = server.base.trim_start_matches("http://").to_owned();
    let machine = detected(gcp::detect, gcp::VARIABLES, &[("GCE_METADATA_HOST", &host)]);
    expect(
        &machine,
        &[
            ("cloud.provider", "gcp"),
            ("cloud.platform", "gcp_compute_engine"),
            ("cloud.account.id", "shop"),
            ("cloud.region", "europe-west1"),
            ("cloud.availability_zone", "europe-west1-b"),
            ("host.id", "42"),
            ("host.type", "n1"),
            ("host.name", "vm-1"),
        ],
    );
    assert!(server.was_asked("metadata-flavor: google"));
    let inside = [("GCE_METADATA_HOST", host.as_str()), ("KUBERNETES_SERVICE_HOST", "10.0.0.1")];
    let cluster = detected(gcp::detect, gcp::VARIABLES, &inside);
    assert_eq!(
        (&*cluster["cloud.platform"], &*cluster["k8s.cluster.name"]),
        ("gcp_kubernetes_engine", "prod")
    );
    let run = [("GCE_METADATA_HOST", host.as_str()), ("K_SERVICE", "orders"), ("K_REVISION", "7")];
    let run = detected(gcp::detect, gcp::VARIABLES, &run);
    assert_eq!((&*run["cloud.platform"], &*run["faas.version"]), ("gcp_cloud_run", "7"));
}

#[test]
fn microsoft_is_asked_with_its_header() {
    let server = Server::start(&[(
        "/metadata/instance/compute?api-version=2021-12-13&format=json",
        r#"{"location":"westeurope","subscriptionId":"s","resourceId":"/r","vmId":"v","name":"vm-1","vmSize":"B1","osType":"Linux"}"#,
    )]);
    expect(
        &shown(azure::machine(&server.base)),
        &[
            ("cloud.provider", "azure"),
            ("cloud.platform", "azure.vm"),
            ("cloud.region", "westeurope"),
            ("cloud.account.id", "s"),
            ("cloud.resource_id", "/r"),
            ("host.id", "v"),
            ("host.name", "vm-1"),
            ("host.type", "B1"),
            ("os.type", "linux"),
        ],
    );
    assert!(server.was_asked("metadata: true"));
    let site = [("WEBSITE_SITE_NAME", "orders"), ("WEBSITE_OWNER_NAME", "sub+rest")];
    let found = detected(azure::detect, azure::VARIABLES, &site);
    assert_eq!((&*found["service.name"], &*found["cloud.account.id"]), ("orders", "sub"));
}
