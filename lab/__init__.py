"""Networks of namespaces with real kernels and programs, and an endpoint for what kernels will not do on demand."""
