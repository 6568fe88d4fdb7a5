//! What is said of metrics, whoever says it.

use super::{CardinalityLimits, ExemplarFilter, View, Views};
use crate::InstallError;

/// How measurements become metrics.
#[derive(Debug, Clone, Default)]
pub(crate) struct MetricSettings {
    pub(crate) exponential_histograms: bool,
    pub(crate) views: Vec<View>,
    pub(crate) cardinality: CardinalityLimits,
    /// `None` if nobody has said it.
    pub(crate) exemplar_filter: Option<ExemplarFilter>,
    pub(crate) process_metrics: bool,
    /// The runtime to measure.
    pub(crate) tokio_metrics: Option<tokio::runtime::Handle>,
}

impl MetricSettings {
    pub(crate) fn compiled_views(&self) -> Result<Views, InstallError> {
        let views = Views::new(&self.views, self.exponential_histograms, self.cardinality.clone());
        views.map_err(|(view, reason)| InstallError::invalid("a view of metrics", view, reason))
    }
}
