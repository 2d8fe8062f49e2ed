#include "cli/service.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "cli/privileges.h"
#include "cli/say.h"

namespace weir::cli {
namespace {

/// sd_notify(3): a datagram to the socket that the service manager names. Without one, nothing.
void tell_manager(std::string_view state) {
  const char* const name = std::getenv("NOTIFY_SOCKET");
  if (name == nullptr || (name[0] != '/' && name[0] != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(name);
  if (length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, name, length);
  if (name[0] == '@') address.sun_path[0] = '\0';
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return;
  ::sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&address),
           static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
  ::close(descriptor);
}

}  // namespace

bool Service::begin(const ServiceSettings& settings) {
  if (settings.listen != "off") {
    auto server = web::StatusServer::open(settings.listen, WEIR_VERSION);
    if (server) {
      server_ = *std::move(server);
    } else {
      say(server.error().what, server.error().why, "goes on without metrics; web.listen in the configuration names another address, or off");
    }
  }
  const auto user = drop_privileges({.user = settings.user, .configures_links = settings.configures_links});
  if (!user) return say(user.error()), false;
  if (!user->empty()) tell(fmt::format("goes on as user {}", *user));
  return true;
}

void Service::use(web::Api api) {
  if (server_) server_->use(std::move(api));
}

void Service::ready(std::string_view rules) {
  if (server_) server_->start();
  tell(rules.empty() ? "ready" : fmt::format("ready; {}", rules));
  tell_manager("READY=1");
}

void Service::alive(web::Status status) {
  if (server_) server_->publish(std::move(status));
  tell_manager("WATCHDOG=1");
}

void Service::ending() { tell_manager("STOPPING=1"); }

}  // namespace weir::cli
