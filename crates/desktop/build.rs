//! Compiles the screens.

fn main() -> Result<(), slint_build::CompileError> {
    let debug = std::env::var("PROFILE").is_ok_and(|profile| profile == "debug");
    let configuration =
        slint_build::CompilerConfiguration::new().with_style("fluent".to_owned()).with_debug_info(debug);
    slint_build::compile_with_config("ui/app.slint", configuration)
}
