//! The methods that a compiled protocol definition has.

use prost::Message;

/// What is needed of `google.protobuf.FileDescriptorSet`; the rest is skipped.
#[derive(Clone, PartialEq, Message)]
struct FileDescriptorSet {
    #[prost(message, repeated, tag = "1")]
    file: Vec<FileDescriptor>,
}

#[derive(Clone, PartialEq, Message)]
struct FileDescriptor {
    #[prost(string, tag = "2")]
    package: String,
    #[prost(message, repeated, tag = "6")]
    service: Vec<ServiceDescriptor>,
}

#[derive(Clone, PartialEq, Message)]
struct ServiceDescriptor {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    method: Vec<MethodDescriptor>,
}

#[derive(Clone, PartialEq, Message)]
struct MethodDescriptor {
    #[prost(string, tag = "1")]
    name: String,
}

/// `package.Service/Method` of every method in an encoded set; `None` when it is no such set.
pub(crate) fn methods_in(encoded: &[u8]) -> Option<Vec<String>> {
    let set = FileDescriptorSet::decode(encoded).ok()?;
    let methods = set.file.iter().flat_map(|file| {
        file.service.iter().flat_map(move |service| {
            service.method.iter().map(move |method| match file.package.as_str() {
                "" => format!("{}/{}", service.name, method.name),
                package => format!("{package}.{}/{}", service.name, method.name),
            })
        })
    });
    Some(methods.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_every_service_of_every_file() {
        let method = |name: &str| MethodDescriptor { name: name.into() };
        let service = |name: &str, methods: &[&str]| ServiceDescriptor {
            name: name.into(),
            method: methods.iter().map(|name| method(name)).collect(),
        };
        let set = FileDescriptorSet {
            file: vec![
                FileDescriptor {
                    package: "shop.v1".into(),
                    service: vec![service("Orders", &["Place", "Watch"]), service("Empty", &[])],
                },
                FileDescriptor { package: String::new(), service: vec![service("Bare", &["Go"])] },
            ],
        };
        let names = methods_in(&set.encode_to_vec());
        assert_eq!(names.unwrap(), ["shop.v1.Orders/Place", "shop.v1.Orders/Watch", "Bare/Go"]);
        assert_eq!(methods_in(b"\xff\xff\xff"), None);
    }
}
