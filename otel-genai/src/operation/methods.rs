//! The methods that all operations have, written once.

/// Methods of a type whose field `guard` is a `Guard`.
macro_rules! guard_methods {
    () => {
        /// The context with the operation's span: the parent of everything that happens inside.
        #[must_use]
        pub fn context(&self) -> &opentelemetry::Context {
            self.guard.context()
        }

        /// Runs `f` inside of the operation. A panic goes on, and ends the operation as failed.
        pub fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
            self.guard.run(f)
        }

        /// Awaits `future` inside of the operation. An `Err` is the operation's outcome, unless a later call goes well;
        /// `error.type` is the name of the error's type.
        ///
        /// # Errors
        ///
        /// What the future returns, unchanged.
        pub async fn call<T, E>(&mut self, future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
            self.guard.call(future).await
        }

        /// Adds an attribute to the span when it ends; of one that is set again, the last value counts. One that
        /// [`with_attributes`](crate::GenAiBuilder::with_attributes) has given already stays as it is.
        pub fn set_attribute(&mut self, attribute: opentelemetry::KeyValue) {
            self.guard.say(attribute);
        }

        /// Ends the operation.
        pub fn end(mut self) {
            self.guard.finish($crate::operation::Exit::End);
        }

        /// Ends the operation as failed. `error_type` is a class with few different values, such as a code of the
        /// provider, never a message.
        pub fn fail(mut self, error_type: impl Into<std::borrow::Cow<'static, str>>) {
            let error_type = $crate::operation::error_type(error_type.into());
            self.guard.finish($crate::operation::Exit::Fail(error_type));
        }
    };
}

/// Methods of a builder with the fields `genai` and `facts`, which starts a `$guard`.
macro_rules! start_methods {
    ($guard:ident) => {
        /// Starts the operation as a child of what is current.
        pub fn start(self) -> $guard {
            self.start_in(&otel_core::current_context())
        }

        /// Starts the operation as a child of what is in `parent`.
        pub fn start_in(self, parent: &opentelemetry::Context) -> $guard {
            $guard { guard: $crate::operation::Guard::start(self.genai, parent, *self.facts) }
        }
    };
}

/// The server that is asked.
macro_rules! server_methods {
    () => {
        /// Where it is served: `server.address` and `server.port`.
        pub fn with_server(mut self, address: impl Into<std::borrow::Cow<'static, str>>, port: u16) -> Self {
            let port = Some(port);
            self.facts.server = Some($crate::operation::Server { address: address.into(), port });
            self
        }
    };
}

pub(crate) use {guard_methods, server_methods, start_methods};
