//! Form by form: what the presets must find, and what only looks like it.

use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

use crate::safety::keys::KeyDecision;
use crate::safety::redactor::Redactor;
use crate::safety::{Redact, Redaction};

/// `S` stands for a secret that is made up for each row: letters and digits, as long as there are `S`.
const SECRETS: &[(&str, &str)] = &[
    ("bearer token", "Authorization failed for Bearer SSSSSSSSSSSSSSSS9a"),
    ("bearer token in a header line", "authorization: Bearer SSSSSSSSSSSSSSSS"),
    ("basic credentials", "sent Basic SSSSSSSSSSSSSSS9A=="),
    ("cookie line", "Cookie: session=SSSSSSSSSSSS; theme=dark"),
    ("set-cookie line", "Set-Cookie: id=SSSSSSSSSSSS; HttpOnly"),
    ("cookie in a list", r#"{"set-cookie":["sid=SSSSSSSSSS"]}"#),
    ("password in a list", r#"{"password" : [ "a SSSSSSSSSS" ]}"#),
    ("cookies in a list", r#"{"set-cookie": ["sid=SSSSSSSSSS; Path=/", "id=SSSSSSSSSS"]}"#),
    ("passwords in a list", r#"{"password":["a]SSSSSSSSSS","b \" SSSSSSSSSS" , "SSSSSSSSSS"]}"#),
    ("passwords in escaped JSON", r#"{\"password\":[\"a]SSSSSSSSSS\",\"SSSSSSSSSS\"]}"#),
    ("passwords in single quotes", "{'password': ['a]SSSSSSSSSS', 'SSSSSSSSSS']}"),
    ("passwords without quotes", "passwords: x, password: [SSSSSSSSSS, SSSSSSSSSS]"),
    ("passwords in a list that is cut", r#"{"password":["SSSSSSSSSS","b, SSSSSSSSSS"#),
    ("token in debug output", r#"Config { token: ["SSSSSSSSSS", "SSSSSSSSSS"], port: 1 }"#),
    ("api key header", "x-api-key: SSSSSSSSSSSSSSSS"),
    ("password assignment", "connect password=SSSSSSSS failed"),
    ("password in JSON", r#"{"user":"ada","password":"SSSSSSSSSS"}"#),
    ("password in escaped JSON", r#"{\"password\": \"SSSSSSSSSS\"}"#),
    ("password with gaps in JSON", r#"{"password" : "a b, (c) \" SSSSSSSSSS","x":1}"#),
    ("password with gaps in escaped JSON", r#"{\"password\": \"a b, (c) SSSSSSSSSS\"}"#),
    ("password with gaps in twice escaped JSON", r#"{\\\"password\\\":\\\"a b, (c) SSSSSSSSSS\\\"}"#),
    ("password with gaps in single quotes", "{'password': 'a b, (c) SSSSSSSSSS'}"),
    ("password with gaps that is cut", r#"{"password":"a b, SSSSSSSSSS"#),
    ("pwd in a connection string", "Server=db;User=sa;Pwd=SSSSSSSSSS;"),
    ("password in debug output", r#"Config { password: "SSSSSSSSSS", port: 1 }"#),
    ("api key assignment", "api_key=SSSSSSSSSSSSSSSS"),
    ("api key in a query", "GET /v1?apikey=SSSSSSSSSSSSSSSS&page=2"),
    ("access token in a query", "https://h/cb?access_token=SSSSSSSSSSSSSSSS&x=1"),
    ("client secret", "client_secret: SSSSSSSSSSSSSSSS"),
    ("refresh token", r#""refresh_token": "SSSSSSSSSSSSSSSSSSSS""#),
    ("csrf token", "csrf-token=SSSSSSSSSSSSSSSS"),
    ("URL user and password", "postgres://app:SSSSSSSSSS@db:5432/shop"),
    ("URL with an @ in the password", "postgres://app:p@SSSSSSSSSS@db:5432/shop"),
    ("URL with a token as user", "https://SSSSSSSSSSSSSSSSSSSS:@host/repo.git"),
    ("redis URL without a user", "redis://:SSSSSSSSSS@cache:6379"),
    ("JWT", "token was eyJhbGciOiJIUzI1NiJ9.eyJSSSSSSSSSSSSSSSS.SSSSSSSSSSSSSSSSSSSS today"),
    ("JWT without a signature", "eyJhbGciOiJub25lIn0.eyJSSSSSSSSSSSSSSSSSS"),
    ("private key", "-----BEGIN RSA PRIVATE KEY-----\nSSSSSSSSSSSSSSSSSSSS\n-----END RSA PRIVATE KEY-----"),
    ("private key that is cut", "-----BEGIN PRIVATE KEY-----\nSSSSSSSSSSSSSSSSSSSSSSSS"),
    (
        "OpenSSH private key",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nSSSSSSSSSSSSSS\n-----END OPENSSH PRIVATE KEY-----",
    ),
    ("AWS access key id", "key AKIAUUUUUUUUUUUUUUUU used"),
    ("AWS temporary key id", "key ASIAUUUUUUUUUUUUUUUU used"),
    ("AWS secret key", "aws_secret_access_key = SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS"),
    ("AWS signature in a URL", "https://b.s3.amazonaws.com/o?X-Amz-Signature=SSSSSSSSSSSSSSSS"),
    ("Google signature in a URL", "https://storage.googleapis.com/o?X-Goog-Signature=SSSSSSSSSSSSSSSS"),
    ("Azure SAS signature", "https://a.blob.core.windows.net/c?sv=1&sig=SSSSSSSSSSSSSSSS"),
    ("Azure storage key", "AccountName=a;AccountKey=SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS==;"),
    ("GitHub token", "ghp_SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS"),
    ("GitHub fine-grained token", "github_pat_SSSSSSSSSSSSSSSSSSSSSS_SSSSSSSSSS"),
    ("GitLab token", "glpat-SSSSSSSSSSSSSSSSSSSS"),
    ("Slack token", "xoxb-SSSSSSSSSSSS-SSSSSSSSSSSS"),
    ("Slack webhook", "https://hooks.slack.com/services/SSSSSSSSS/SSSSSSSSS/SSSSSSSSSSSSSSSS"),
    ("Stripe key", "sk_live_SSSSSSSSSSSSSSSSSSSSSSSS"),
    ("Stripe webhook secret", "whsec_SSSSSSSSSSSSSSSSSSSSSSSS"),
    ("Google API key", "AIzaSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS"),
    ("Google OAuth token", "ya29.SSSSSSSSSSSSSSSSSSSSSSSS"),
    ("Google client secret", "GOCSPX-SSSSSSSSSSSSSSSSSSSSSSSS"),
    ("OpenAI key", "sk-proj-SSSSSSSSSSSSSSSSSSSSSSSS9"),
    ("Anthropic key", "sk-ant-api03-SSSSSSSSSSSSSSSSSSSSSSSS"),
    ("npm token", "npm_SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS"),
    ("PyPI token", "pypi-SSSSSSSSSSSSSSSSSSSSSSSS9"),
    ("SendGrid key", "SG.SSSSSSSSSSSSSSSSSSSSSS.SSSSSSSSSSSSSSSSSSSSSSSS"),
    ("Hugging Face token", "hf_SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS"),
    ("Vault token", "hvs.SSSSSSSSSSSSSSSSSSSSSSSS"),
];

/// What is no secret and must stay as it is.
const HARMLESS: &[&str] = &[
    "GET /users/{id}",
    "/users/4711/orders?page=2&sort=name",
    "bearer authentication is required",
    "basic understanding of the protocol",
    "Basic authentication",
    "https://user.example.com:8080/path?q=a@b",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "c2f9a0b1-4c5d-4e6f-8a7b-9c0d1e2f3a4b",
    "SELECT id, name FROM users WHERE email = $1",
    "order 4111111111111111 placed",
    "tokens used: 1523",
    "max_tokens=512",
    "the password was changed",
    "secretary: Ada",
    "thread 'main' panicked at src/main.rs:10:5",
    "sk-learn-something-with-a-long-hyphenated-name",
    "eyJ is how a JWT begins",
    "AKIA is a prefix",
    "design=modern&signed=true",
    "application/json; charset=utf-8",
    "10.0.0.1:8080",
    "pypi-packages-are-downloaded",
    "-----BEGIN CERTIFICATE-----",
];

/// Personal data: the text, and the part that must not be left.
const PERSONAL: &[(&str, &str)] = &[
    ("contact ada.lovelace+shop@mail.example.com now", "ada.lovelace"),
    ("card 4111 1111 1111 1111 declined", "4111 1111"),
    ("card 5500-0000-0000-0004 declined", "5500-0000"),
    ("card 378282246310005 declined", "378282246310005"),
    ("to DE89 3704 0044 0532 0130 00 today", "DE89"),
    ("to GB82WEST12345698765432 today", "GB82"),
    ("to NO9386011117947 today", "NO93"),
    ("ssn 123-45-6789 given", "123-45"),
    ("call +49 30 901820 now", "901820"),
    ("call +1 (212) 555-0100 now", "555"),
    ("call +442079460958", "442079460958"),
    ("from 203.0.113.77:443", "113.77"),
];

const NOT_PERSONAL: &[&str] = &[
    "order 4111111111111112 placed",
    "number 1234567890123456",
    "zeros 0000000000000000",
    "version 1.2.3",
    "127.0.0.1:8080",
    "DE00 3704 0044 0532 0130 00",
    "999-45-6789",
    "2024-01-02 10:11:12",
    "user@localhost",
    "a+b=c",
    "at 1732180000000",
    "crate@1.2.3",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
];

const SECRET_KEYS: &[&str] = &[
    "password",
    "db.password",
    "userPassword",
    "passwd",
    "user.pwd",
    "client_secret",
    "aws.secret_access_key",
    "api_key",
    "apiKey",
    "x-api-key",
    "http.request.header.authorization",
    "http.request.header.cookie",
    "http.response.header.set-cookie",
    "http.request.header.proxy-authorization",
    "access_token",
    "auth.token",
    "id_token",
    "jwt",
    "x-csrf-token",
    "private_key",
    "ssh.private-key",
    "credentials",
    "connection_string",
    "session_token",
    "JSESSIONID",
    "card.cvv",
    "user.pin",
    "passphrase",
    "encryption_key",
    "token",
];

const OTHER_KEYS: &[&str] = &[
    "http.request.method",
    "url.path",
    "http.route",
    "user.id",
    "session.id",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.request.max_tokens",
    "gen_ai.token.type",
    "db.query.text",
    "db.system.name",
    "server.address",
    "messaging.kafka.message.key",
    "aws.secretsmanager.secret.arn",
    "cache.key",
    "shipping",
    "keyboard",
    "author",
    "code.function.name",
    "exception.message",
    "thread.name",
    "tokenizer",
    "primary_key",
    "spin",
    "hostpin.x",
];

fn made_up(form: &str) -> (String, Vec<String>) {
    let random: String = (0..16).map(|_| RandomIdGenerator::default().new_trace_id().to_string()).collect();
    let mut random = random.chars();
    let mut text = String::new();
    let mut secrets: Vec<String> = Vec::new();
    let mut last = ' ';
    for character in form.chars() {
        let is_placeholder = matches!(character, 'S' | 'U') && is_run(form, &text);
        if is_placeholder {
            let made = random.next().unwrap();
            let made = if character == 'U' { made.to_ascii_uppercase() } else { made };
            if last != character {
                secrets.push(String::new());
            }
            secrets.last_mut().unwrap().push(made);
            text.push(made);
            last = character;
        } else {
            text.push(character);
            last = ' ';
        }
    }
    (text, secrets)
}

/// Whether a run of at least eight equal letters begins, or goes on, after as much of the form as `text` holds.
fn is_run(form: &str, text: &str) -> bool {
    let at = text.chars().count();
    let letters: Vec<char> = form.chars().collect();
    let letter = letters[at];
    let back = letters[..at].iter().rev().take_while(|other| **other == letter).count();
    let ahead = letters[at..].iter().take_while(|other| **other == letter).count();
    back + ahead >= 8
}

/// How many of `rows` do what is expected of them; the others are named.
fn expect_all<T>(what: &str, rows: &[T], is_as_expected: impl Fn(&T) -> Result<(), String>) {
    let wrong: Vec<String> = rows.iter().filter_map(|row| is_as_expected(row).err()).collect();
    assert!(wrong.is_empty(), "{what}: {} of {} are wrong:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn every_form_of_a_secret_is_found_and_what_looks_like_one_stays() {
    let redactor = Redactor::new(&Redaction::new()).unwrap();
    expect_all("secrets", SECRETS, |(form, pattern)| {
        let (text, secrets) = made_up(pattern);
        assert!(!secrets.is_empty(), "{form} has no secret");
        let redacted = redactor.text(&text).unwrap_or_else(|| text.clone());
        let left: Vec<_> = secrets.iter().filter(|secret| redacted.contains(*secret)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{form}: {text} became {redacted}")) }
    });
    expect_all("harmless", HARMLESS, |text| match redactor.text(text) {
        None => Ok(()),
        Some(redacted) => Err(format!("{text} became {redacted}")),
    });
}

#[test]
fn what_stands_around_a_secret_stays() {
    let redactor = Redactor::new(&Redaction::new()).unwrap();
    for (text, expected) in [
        ("postgres://app:hunter2@db:5432/shop", "postgres://REDACTED@db:5432/shop"),
        ("GET /v1?apikey=abcdef123456&page=2", "GET /v1?apikey=REDACTED&page=2"),
        (r#"{"password":"hunter2","port":1}"#, r#"{"password":"REDACTED","port":1}"#),
        (r#"{"password":"two, \"w\" ords","port":1}"#, r#"{"password":"REDACTED","port":1}"#),
        (r#"{\"password\":\"two words\",\"port\":1}"#, r#"{\"password\":\"REDACTED\",\"port\":1}"#),
        ("{'token': 'two words', 'port': 1}", "{'token': 'REDACTED', 'port': 1}"),
        (r#"{"password":["a","b"],"port":1}"#, r#"{"password":[REDACTED],"port":1}"#),
        (r#"{"password":[],"port":[1]}"#, r#"{"password":[],"port":[1]}"#),
        ("expected token: \"\nnext line", "expected token: \"\nnext line"),
        ("https://h/o?sig=REDACTED&x=1", "https://h/o?sig=REDACTED&x=1"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl expired", "token REDACTED expired"),
    ] {
        assert_eq!(redactor.text(text).unwrap_or_else(|| text.to_owned()), expected);
    }
}

#[test]
fn every_form_of_personal_data_is_found_and_what_looks_like_it_stays() {
    let redactor = Redactor::new(&Redaction::new().with_personal_data()).unwrap();
    expect_all("personal data", PERSONAL, |(text, part)| match redactor.text(text) {
        Some(redacted) if !redacted.contains(part) => Ok(()),
        other => Err(format!("{text} became {other:?}")),
    });
    expect_all("not personal", NOT_PERSONAL, |text| match redactor.text(text) {
        None => Ok(()),
        Some(redacted) => Err(format!("{text} became {redacted}")),
    });
    let by_default = Redactor::new(&Redaction::new()).unwrap();
    expect_all("personal data without the preset", PERSONAL, |(text, _)| match by_default.text(text) {
        None => Ok(()),
        Some(redacted) => Err(format!("{text} became {redacted}")),
    });
}

#[test]
fn keys_of_secrets_are_known_and_others_are_not() {
    let redactor = Redactor::new(&Redaction::new()).unwrap();
    let is_masked = |key: &str| matches!(redactor.decide(key), KeyDecision::Apply(Redact::Mask));
    expect_all(
        "keys of secrets",
        SECRET_KEYS,
        |key| if is_masked(key) { Ok(()) } else { Err((*key).to_owned()) },
    );
    expect_all("other keys", OTHER_KEYS, |key| if is_masked(key) { Err((*key).to_owned()) } else { Ok(()) });
    let without = Redactor::new(&Redaction::new().without_secrets()).unwrap();
    assert!(SECRET_KEYS.iter().all(|key| matches!(without.decide(key), KeyDecision::Scan)));
}
