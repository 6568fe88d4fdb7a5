//! Microsoft: virtual machines, App Service.

use super::{ask_json, cloud, text};
use crate::config::Variables;
use crate::detectors::{Attribute, some};

pub(crate) const VARIABLES: &[&str] =
    &["WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID", "WEBSITE_HOSTNAME", "REGION_NAME", "WEBSITE_OWNER_NAME"];

pub(crate) fn detect(variables: &Variables) -> Vec<Attribute> {
    match variables.text("WEBSITE_SITE_NAME") {
        Some(site) => app_service(&site, variables),
        None => machine("http://169.254.169.254"),
    }
}

fn app_service(site: &str, variables: &Variables) -> Vec<Attribute> {
    // subscription+rest
    let owner = variables.text("WEBSITE_OWNER_NAME");
    let account = owner.as_deref().and_then(|owner| owner.split('+').next()).map(str::to_owned);
    cloud(
        "azure",
        "azure.app_service",
        [
            some("cloud.region", variables.text("REGION_NAME")),
            some("cloud.account.id", account),
            some("service.name", Some(site.to_owned())),
            some("service.instance.id", variables.text("WEBSITE_INSTANCE_ID")),
            some("host.id", variables.text("WEBSITE_HOSTNAME")),
        ],
    )
}

pub(super) fn machine(base: &str) -> Vec<Attribute> {
    let url = format!("{base}/metadata/instance/compute?api-version=2021-12-13&format=json");
    let Some(compute) = ask_json(&url, &[("metadata", "true")]) else {
        return Vec::new();
    };
    cloud(
        "azure",
        "azure.vm",
        [
            some("cloud.region", text(&compute, "/location")),
            some("cloud.account.id", text(&compute, "/subscriptionId")),
            some("cloud.resource_id", text(&compute, "/resourceId")),
            some("host.id", text(&compute, "/vmId")),
            some("host.name", text(&compute, "/name")),
            some("host.type", text(&compute, "/vmSize")),
            some("os.type", text(&compute, "/osType").map(|kind| kind.to_ascii_lowercase())),
        ],
    )
}
