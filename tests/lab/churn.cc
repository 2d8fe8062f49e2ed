// MPTCP connections that appear and vanish, by kernel sockets: churn serve PORT COUNT | churn connect ADDRESS PORT COUNT RATE SECONDS OCTETS
//
// A connection carries OCTETS to the server, is ended by both sides and counts when the client has seen the server's end. COUNT neighbouring ports are
// used in turn, since one alone runs out of client ports. The client tells at its end, as one line of JSON, what it began, finished and lost.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMptcp = 262;  // IPPROTO_MPTCP
constexpr int kBacklog = 4096;
constexpr std::size_t kMostAtOnce = 8000;  // connections; beyond it the client waits
constexpr auto kPatience = std::chrono::seconds(10);

struct Address {
  sockaddr_storage where = {};
  socklen_t size = 0;
  int family = AF_INET;

  static Address of(const char* text, int port) {
    Address made;
    auto& v4 = reinterpret_cast<sockaddr_in&>(made.where);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(made.where);
    if (::inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
      v4.sin_family = AF_INET;
      v4.sin_port = htons(static_cast<std::uint16_t>(port));
      made.size = sizeof v4;
    } else if (::inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(static_cast<std::uint16_t>(port));
      made.size = sizeof v6;
      made.family = AF_INET6;
    }
    return made;
  }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&where); }
};

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "churn: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

void watch(int poll, int socket, std::uint32_t events, int operation) {
  epoll_event wanted = {.events = events, .data = {.fd = socket}};
  if (::epoll_ctl(poll, operation, socket, &wanted) != 0) fail("epoll_ctl");
}

/// Takes what is there; true when the other side has ended.
bool read_to_end(int socket) {
  std::array<char, 16384> room;
  while (true) {
    const ssize_t got = ::recv(socket, room.data(), room.size(), MSG_DONTWAIT);
    if (got == 0) return true;
    if (got < 0) return errno != EAGAIN && errno != EINTR;
  }
}

int serve(int port, int count) {
  const int poll = ::epoll_create1(0);
  std::vector<bool> listens(1U << 16U);
  for (int at = 0; at < count; ++at) {
    const Address here = Address::of("::", port + at);
    const int listener = ::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, kMptcp);
    const int yes = 1, no = 0;
    if (listener < 0) fail("socket");
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    ::setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    if (::bind(listener, here.get(), here.size) != 0 || ::listen(listener, kBacklog) != 0) fail("listen");
    listens[static_cast<std::size_t>(listener)] = true;
    watch(poll, listener, EPOLLIN, EPOLL_CTL_ADD);
  }
  std::puts("listening");
  std::fflush(stdout);
  std::array<epoll_event, 256> ready;
  while (true) {
    const int found = ::epoll_wait(poll, ready.data(), static_cast<int>(ready.size()), -1);
    for (int at = 0; at < found; ++at) {
      const int socket = ready[static_cast<std::size_t>(at)].data.fd;
      if (!listens[static_cast<std::size_t>(socket)]) {
        if (read_to_end(socket)) ::close(socket);
        continue;
      }
      for (int taken = 0; (taken = ::accept4(socket, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) watch(poll, taken, EPOLLIN, EPOLL_CTL_ADD);
    }
  }
}

/// Purpose: the client's side. Ownership: its sockets, from begin() to end(). Threads: one.
class Client {
 public:
  Client(const char* address, int port, int count, std::size_t octets) : octets_(octets, 'x') {
    for (int at = 0; at < count; ++at) targets_.push_back(Address::of(address, port + at));
  }

  void run(double rate, double seconds) {
    const auto began = Clock::now();
    const auto total = static_cast<std::uint64_t>(rate * seconds);
    while (began_ < total || !open_.empty()) {
      const double now = std::chrono::duration<double>(Clock::now() - began).count();
      if (now > seconds && began_ < total) break_off(total);
      while (began_ < total && static_cast<double>(began_) < rate * now && open_.size() < kMostAtOnce) begin();
      wait();
    }
    const double took = std::chrono::duration<double>(Clock::now() - began).count();
    std::printf("{\"began\": %llu, \"finished\": %llu, \"failed\": %llu, \"not_begun\": %llu, \"seconds\": %.2f}\n",
                static_cast<unsigned long long>(began_ - skipped_), static_cast<unsigned long long>(finished_), static_cast<unsigned long long>(failed_),
                static_cast<unsigned long long>(skipped_), took);
  }

 private:
  struct Open {
    Clock::time_point since;
    bool sent = false;
  };

  /// The time is over and the rate was not reached.
  void break_off(std::uint64_t total) {
    skipped_ = total - began_;
    began_ = total;
  }

  void begin() {
    const Address& target = targets_[began_++ % targets_.size()];
    const int socket = ::socket(target.family, SOCK_STREAM | SOCK_NONBLOCK, kMptcp);
    if (socket < 0) fail("socket");
    if (::connect(socket, target.get(), target.size) != 0 && errno != EINPROGRESS) {
      ++failed_;
      ::close(socket);
      return;
    }
    open_[socket] = {.since = Clock::now()};
    watch(poll_, socket, EPOLLOUT, EPOLL_CTL_ADD);
  }

  void wait() {
    std::array<epoll_event, 256> ready;
    const int found = ::epoll_wait(poll_, ready.data(), static_cast<int>(ready.size()), 1);
    for (int at = 0; at < found; ++at) go_on(ready[static_cast<std::size_t>(at)].data.fd);
    const auto now = Clock::now();
    if (now - looked_ < std::chrono::seconds(1)) return;
    looked_ = now;
    std::vector<int> late;
    for (const auto& [socket, open] : open_) {
      if (now - open.since > kPatience) late.push_back(socket);
    }
    for (const int socket : late) end(socket, false);
  }

  void go_on(int socket) {
    Open& open = open_[socket];
    if (!open.sent) {
      open.sent = true;
      const ssize_t sent = ::send(socket, octets_.data(), octets_.size(), MSG_NOSIGNAL);
      if (sent != static_cast<ssize_t>(octets_.size()) || ::shutdown(socket, SHUT_WR) != 0) {
        end(socket, false);
      } else {
        watch(poll_, socket, EPOLLIN, EPOLL_CTL_MOD);
      }
    } else if (read_to_end(socket)) {
      end(socket, true);
    }
  }

  void end(int socket, bool well) {
    ++(well ? finished_ : failed_);
    open_.erase(socket);
    ::close(socket);
  }

  std::vector<char> octets_;
  std::vector<Address> targets_;
  int poll_ = ::epoll_create1(0);
  std::unordered_map<int, Open> open_;
  Clock::time_point looked_ = Clock::now();
  std::uint64_t began_ = 0, finished_ = 0, failed_ = 0, skipped_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "serve" && argc == 4) return serve(std::atoi(argv[2]), std::atoi(argv[3]));
  if (verb == "connect" && argc == 8) {
    Client client(argv[2], std::atoi(argv[3]), std::atoi(argv[4]), static_cast<std::size_t>(std::atoi(argv[7])));
    client.run(std::atof(argv[5]), std::atof(argv[6]));
    return 0;
  }
  std::fprintf(stderr, "usage: churn serve PORT COUNT | churn connect ADDRESS PORT COUNT RATE SECONDS OCTETS\n");
  return 2;
}
