#include "inspect/apps/application.h"

namespace weir::inspect::apps {
struct Application::State {};
Application::Application() = default;
Application::~Application() = default;
Application::Application(Application&&) noexcept = default;
Application& Application::operator=(Application&&) noexcept = default;
AppProtocol Application::protocol() const { return AppProtocol::kUnknown; }
bool Application::done() const { return true; }
void Application::data(const ApplicationSettings&, Direction, std::uint64_t, std::span<const std::byte>, TimeNs, Sink&) {}
void Application::gap(const ApplicationSettings&, Direction, std::uint64_t, std::uint64_t, TimeNs, Sink&) {}
void Application::fin(const ApplicationSettings&, Direction, TimeNs, Sink&) {}
void Application::end(const ApplicationSettings&, TimeNs, Sink&) {}
std::uint64_t Application::held_bytes() const { return 0; }
}  // namespace weir::inspect::apps
