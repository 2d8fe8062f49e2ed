#include "inspect/apps/application.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "inspect/apps/detect.h"
#include "inspect/apps/dns.h"
#include "inspect/apps/http.h"
#include "inspect/apps/http_config.h"
#include "inspect/apps/tls.h"

namespace weir::inspect::apps {

/// Once the protocol is known, its reader; before that the first bytes of each direction.
struct Application::State {
  struct First {
    std::vector<std::byte> bytes;
    std::uint64_t offset = 0;
    bool given_up = false;
  };
  AppProtocol protocol = AppProtocol::kUnknown;
  First first[2];
  std::unique_ptr<Http> http;
  std::unique_ptr<Tls> tls;
  std::unique_ptr<Dns> dns;
};

ApplicationSettings::ApplicationSettings(const Limits& all_limits, bool with_rules, bool with_files)
    : limits(all_limits), rules(with_rules), files(with_files), http(std::make_shared<HttpConfig>(all_limits)) {}

Application::Application() = default;
Application::~Application() = default;
Application::Application(Application&&) noexcept = default;
Application& Application::operator=(Application&&) noexcept = default;

AppProtocol Application::protocol() const { return protocol_; }
bool Application::done() const { return done_; }

void Application::data(const ApplicationSettings& settings, Direction d, std::uint64_t offset, std::span<const std::byte> bytes, TimeNs now, Sink& sink) {
  if (done_ || bytes.empty()) return;
  if (!state_) state_ = std::make_unique<State>();
  State& s = *state_;
  if (protocol_ != AppProtocol::kUnknown) return feed(settings, d, offset, bytes, now, sink);

  State::First& f = s.first[index(d)];
  if (f.given_up) return;
  if (f.bytes.empty()) f.offset = offset;
  f.bytes.insert(f.bytes.end(), bytes.begin(), bytes.end());
  const AppProtocol found = detect(d, std::span(f.bytes).first(std::min(f.bytes.size(), kDetectBytes)));
  if (found == AppProtocol::kFailed || (found == AppProtocol::kUnknown && f.bytes.size() >= kDetectBytes)) {
    f.given_up = true;
    f.bytes = {};
    if (s.first[index(reverse(d))].given_up || s.first[index(reverse(d))].bytes.empty()) give_up();
    return;
  }
  if (found == AppProtocol::kUnknown) return;
  protocol_ = found;
  if (found == AppProtocol::kHttp) s.http = std::make_unique<Http>(settings);
  if (found == AppProtocol::kTls) s.tls = std::make_unique<Tls>();
  if (found == AppProtocol::kDns) s.dns = std::make_unique<Dns>();
  // What the other direction said before, in the order of a request and its answer. The reader may end, and the state with it.
  const State::First first[2] = {std::exchange(s.first[0], {}), std::exchange(s.first[1], {})};
  for (const Direction each : {Direction::kToServer, Direction::kToClient}) {
    const State::First& kept = first[index(each)];
    if (!kept.bytes.empty() && state_) feed(settings, each, kept.offset, kept.bytes, now, sink);
  }
}

void Application::give_up() {
  if (protocol_ == AppProtocol::kUnknown) protocol_ = AppProtocol::kFailed;
  done_ = true;
  state_.reset();
}

void Application::feed(const ApplicationSettings& settings, Direction d, std::uint64_t offset, std::span<const std::byte> bytes, TimeNs now, Sink& sink) {
  State& s = *state_;
  if (s.http) s.http->data(settings, d, offset, bytes, now, sink);
  if (s.tls) s.tls->data(settings, d, offset, bytes, now, sink);
  if (s.dns) s.dns->data(settings, d, offset, bytes, now, sink);
  finish_if_done(settings, now, sink);
}

void Application::finish_if_done(const ApplicationSettings& settings, TimeNs now, Sink& sink) {
  State& s = *state_;
  const bool over = (s.http && s.http->done()) || (s.tls && s.tls->done()) || (s.dns && s.dns->done());
  if (over) end(settings, now, sink);
}

void Application::gap(const ApplicationSettings& settings, Direction d, std::uint64_t, std::uint64_t bytes, TimeNs now, Sink& sink) {
  if (done_ || !state_) return;
  State& s = *state_;
  s.first[index(d)].given_up = true;
  if (s.http) s.http->gap(settings, d, bytes, now, sink);
  if (s.tls) s.tls->stop(d);
  if (s.dns) s.dns->stop(d);
  finish_if_done(settings, now, sink);
}

void Application::fin(const ApplicationSettings& settings, Direction d, TimeNs now, Sink& sink) {
  if (done_ || !state_) return;
  State& s = *state_;
  s.first[index(d)].given_up = true;
  if (s.http) s.http->fin(settings, d, now, sink);
  if (s.tls) s.tls->stop(d);
  if (s.dns) s.dns->stop(d);
  finish_if_done(settings, now, sink);
}

void Application::end(const ApplicationSettings& settings, TimeNs now, Sink& sink) {
  if (done_) return;
  if (state_ && state_->http) state_->http->end(settings, now, sink);
  if (state_ && state_->tls) state_->tls->end(settings, now, sink);
  give_up();
}

std::uint64_t Application::held_bytes() const { return state_ ? sizeof(State) : 0; }

}  // namespace weir::inspect::apps
