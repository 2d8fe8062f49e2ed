#include "probe/targets/resolver.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/bytes.h"
#include "capture/clock.h"
#include "probe/output/whole_file.h"

namespace weir::probe::targets {
namespace {

constexpr int kInternet = 1, kTypeHttps = 65;  // RFC 1035 section 3.2.4, RFC 9460 section 14.1
constexpr suseconds_t kWaitUs = 100'000;
constexpr unsigned kQuestionsEach = 3;

constexpr std::size_t kLongestHosts = 64U << 20;

/// Whether a server has said anything yet.
bool is_answer(int status) { return status != ARES_ETIMEOUT && status != ARES_ECONNREFUSED && status != ARES_ECANCELLED && status != ARES_EDESTRUCTION; }

struct FreeChannel {
  void operator()(ares_channel channel) const { ares_destroy(channel); }
};

/// One name under way. Invariant: `open` questions of it will still call back.
struct Asked {
  Resolved* into = nullptr;
  std::size_t* open_names = nullptr;
  bool* answered = nullptr;
  unsigned open = kQuestionsEach;
  int status = ARES_SUCCESS;

  void done(int how, bool is_answered) {
    *answered |= is_answered;
    if (how != ARES_SUCCESS) status = how;
    if (--open > 0) return;
    std::ranges::sort(into->addresses);
    into->addresses.erase(std::ranges::unique(into->addresses).begin(), into->addresses.end());
    if (into->addresses.size() > kMostAddresses) into->addresses.resize(kMostAddresses);
    if (into->addresses.empty()) into->problem = status == ARES_SUCCESS ? "has no address" : ares_strerror(status);
    --*open_names;
  }
};

void take_addresses(void* argument, int status, int /*timeouts*/, ares_addrinfo* result) {
  Asked& asked = *static_cast<Asked*>(argument);
  if (result != nullptr) {
    for (const ares_addrinfo_node* node = result->nodes; node != nullptr; node = node->ai_next) {
      if (node->ai_family == AF_INET) {
        const auto* const address = reinterpret_cast<const sockaddr_in*>(node->ai_addr);
        asked.into->addresses.push_back(IpAddress::v4(std::as_bytes(std::span<const in_addr, 1>(&address->sin_addr, 1))));
      } else if (node->ai_family == AF_INET6) {
        const auto* const address = reinterpret_cast<const sockaddr_in6*>(node->ai_addr);
        asked.into->addresses.push_back(IpAddress::v6(std::as_bytes(std::span<const in6_addr, 1>(&address->sin6_addr, 1))));
      }
    }
    ares_freeaddrinfo(result);
  }
  asked.done(status == ARES_ENODATA ? ARES_SUCCESS : status, is_answer(status));
}

/// Past a name in a DNS message (RFC 1035 section 4.1.4).
void skip_name(ByteReader& in) {
  while (in.ok()) {
    const std::uint8_t length = in.u8();
    if (length == 0) return;
    if (length >= 0xc0) {
      in.skip(1);
      return;
    }
    in.skip(length);
  }
}

bool has_https_record(Bytes message) {
  ByteReader in(message);
  in.skip(4);
  const unsigned questions = in.u16(), answers = in.u16();
  in.skip(4);
  for (unsigned i = 0; i < questions && in.ok(); ++i) {
    skip_name(in);
    in.skip(4);
  }
  for (unsigned i = 0; i < answers && in.ok(); ++i) {
    skip_name(in);
    const int type = in.u16();
    in.skip(6);
    in.skip(in.u16());
    if (in.ok() && type == kTypeHttps) return true;
  }
  return false;
}

void take_https(void* argument, int status, int /*timeouts*/, unsigned char* message, int length) {
  Asked& asked = *static_cast<Asked*>(argument);
  if (message != nullptr && length > 0) asked.into->https_record = has_https_record(std::as_bytes(std::span(message, static_cast<std::size_t>(length))));
  asked.done(ARES_SUCCESS, is_answer(status));  // a resolver that knows no HTTPS records is no problem
}

/// Out of the hosts file, if it is there. localhost is this host, whatever the file says of it.
void take_from_hosts(ares_channel channel, std::string_view hosts, const std::string& name, Resolved& into) {
  const bool local = name == "localhost" || name.ends_with(".localhost");
  if (!local && hosts.find(name) == std::string_view::npos) return;
  for (const int family : {AF_INET, AF_INET6}) {
    hostent* found = nullptr;
    if (ares_gethostbyname_file(channel, name.c_str(), family, &found) != ARES_SUCCESS) continue;
    for (char** address = found->h_addr_list; *address != nullptr; ++address) {
      const auto* const octets = reinterpret_cast<const std::byte*>(*address);
      into.addresses.push_back(found->h_addrtype == AF_INET ? IpAddress::v4(std::span<const std::byte, 4>(octets, 4))
                                                            : IpAddress::v6(std::span<const std::byte, 16>(octets, 16)));
    }
    ares_free_hostent(found);
  }
  if (local && into.addresses.empty()) into.addresses = {*parse_ip_address("127.0.0.1"), *parse_ip_address("::1")};
  std::ranges::sort(into.addresses);
  into.addresses.erase(std::ranges::unique(into.addresses).begin(), into.addresses.end());
}

std::string hosts_file() {
  const auto text = output::read_whole("/etc/hosts", kLongestHosts);
  std::string lower = text && *text ? **text : std::string();
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return lower;
}

/// Waits for answers a moment, and takes them.
void turn(ares_channel channel) {
  std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
  const int bits = ares_getsock(channel, sockets.data(), static_cast<int>(sockets.size()));
  std::vector<pollfd> waiting;
  for (unsigned i = 0; i < sockets.size(); ++i) {
    short events = 0;
    if (ARES_GETSOCK_READABLE(static_cast<unsigned>(bits), i)) events |= POLLIN;
    if (ARES_GETSOCK_WRITABLE(static_cast<unsigned>(bits), i)) events |= POLLOUT;
    if (events != 0) waiting.push_back({.fd = sockets[i], .events = events, .revents = 0});
  }
  timeval longest{.tv_sec = 0, .tv_usec = kWaitUs}, next{};
  const timeval* const wait = ares_timeout(channel, &longest, &next);
  ::poll(waiting.data(), waiting.size(), static_cast<int>(wait->tv_sec * 1'000 + wait->tv_usec / 1'000));
  for (const pollfd& one : waiting)
    ares_process_fd(channel, (one.revents & ~POLLOUT) != 0 ? one.fd : ARES_SOCKET_BAD, (one.revents & POLLOUT) != 0 ? one.fd : ARES_SOCKET_BAD);
  ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what has waited too long
}

}  // namespace

std::expected<std::vector<Resolved>, report::Problem> resolve(std::span<const std::string> names, const ResolverSettings& settings,
                                                              const std::function<bool()>& stop) {
  std::vector<Resolved> resolved(names.size());
  if (names.empty()) return resolved;
  ares_options options{};
  options.timeout = settings.timeout_ms;
  options.tries = settings.tries;
  options.flags = ARES_FLAG_NOALIASES;
  ares_channel raw = nullptr;
  if (const int status = ares_init_options(&raw, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS); status != ARES_SUCCESS)
    return std::unexpected(report::Problem{"names", ares_strerror(status)});
  std::vector<std::unique_ptr<Asked>> asked;  // outlives the channel, which calls back at its end
  const std::unique_ptr<std::remove_pointer_t<ares_channel>, FreeChannel> channel(raw);
  if (settings.server && ares_set_servers_ports_csv(channel.get(), settings.server->c_str()) != ARES_SUCCESS)
    return std::unexpected(report::Problem{"--dns", "'" + *settings.server + "' is no ADDRESS or ADDRESS:PORT"});

  const std::string hosts = hosts_file();
  for (std::size_t i = 0; i < names.size(); ++i) take_from_hosts(channel.get(), hosts, names[i], resolved[i]);
  std::size_t open = 0;
  bool answered = false;
  const TimeNs silent_at = capture::steady_ns() + TimeNs{settings.silence_ms} * 1'000'000;
  for (std::size_t next = 0; (next < names.size() || open > 0) && !stop();) {
    if (!answered && open > 0 && capture::steady_ns() > silent_at) break;
    for (; next < names.size() && open < kOpenNames; ++next) {
      if (!resolved[next].addresses.empty()) continue;
      Asked* const one = asked.emplace_back(std::make_unique<Asked>(Asked{.into = &resolved[next], .open_names = &open, .answered = &answered})).get();
      resolved[next].problem = "was not asked for";
      ++open;
      const char* const name = names[next].c_str();
      for (const int family : {AF_INET, AF_INET6}) {
        ares_addrinfo_hints hints{};
        hints.ai_family = family;
        hints.ai_flags = ARES_AI_NOSORT;
        ares_getaddrinfo(channel.get(), name, nullptr, &hints, take_addresses, one);
      }
      ares_query(channel.get(), name, kInternet, kTypeHttps, take_https, one);
    }
    if (open > 0) turn(channel.get());
  }
  const bool silent = !answered && open > 0 && !stop();
  ares_cancel(channel.get());
  for (Resolved& one : resolved) {
    if (silent && one.addresses.empty()) one.problem = "no DNS server answers";
    if (!one.addresses.empty()) one.problem.clear();
  }
  return resolved;
}

}  // namespace weir::probe::targets
