#include "gateway/control_socket.h"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <future>
#include <optional>
#include <utility>

#include "capture/signals_blocked.h"

namespace weir::gateway {
namespace {

namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kHeadBytes = 8 << 10;                                                  ///< of a request
constexpr std::chrono::seconds kRequest{2};                                                  ///< for it to come, and again for the answer to go
constexpr std::chrono::seconds kOwner = RequestQueue::kPatience + std::chrono::seconds{10};  ///< for the owner to answer
constexpr int kTickMs = 100;
constexpr int kMostWaiting = 16;  ///< connections that are not taken up yet: they are served one by one, and who comes beyond waits in connect()

/// The parser's verdict on what came. None: it did not come in time, or was too long.
std::optional<std::string> read_head(int connection) {
  const auto until = Clock::now() + kRequest;
  std::string head;
  while (head.size() < kHeadBytes && Clock::now() < until) {
    pollfd polled{connection, POLLIN, 0};
    if (::poll(&polled, 1, kTickMs) <= 0) continue;
    std::array<char, 1'024> some{};
    const ssize_t got = ::recv(connection, some.data(), some.size(), MSG_DONTWAIT);
    if (got <= 0) return std::nullopt;
    head.append(some.data(), static_cast<std::size_t>(got));
    if (head.find("\r\n\r\n") != std::string::npos) return head;
  }
  return std::nullopt;
}

std::expected<Command, Answer> command_in(const std::string& head) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(kHeadBytes);
  parser.body_limit(0);
  boost::beast::error_code error;
  parser.put(boost::asio::buffer(head), error);
  if (error || !parser.is_header_done()) return std::unexpected(refusal(400, "no HTTP request without a body"));
  const auto method = parser.get().method_string(), target = parser.get().target();
  return parse_command({method.data(), method.size()}, {target.data(), target.size()});
}

void send_answer(int connection, const Answer& answer) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(answer.status));
  const std::string text = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}\n", answer.status,
                                       std::string_view(reason.data(), reason.size()), answer.body.size() + 1, answer.body);
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t sent = ::send(connection, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

std::expected<std::unique_ptr<ControlSocket>, report::Problem> ControlSocket::open(const std::string& path, RequestQueue& queue) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::unexpected(report::Problem{path, "is too long for a socket's path"});
  std::memcpy(address.sun_path, path.data(), path.size());
  struct stat about{};
  if (::lstat(path.c_str(), &about) == 0) {
    if (!S_ISSOCK(about.st_mode)) return std::unexpected(report::Problem{path, "is there, and is no socket"});
  }
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return std::unexpected(report::system_problem(path, errno));
  if (::connect(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    ::close(listener);
    return std::unexpected(report::Problem{path, "another process listens there"});
  }
  ::unlink(path.c_str());
  const mode_t before = ::umask(S_IXUSR | S_IRWXG | S_IRWXO);
  const bool bound = ::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && ::listen(listener, kMostWaiting) == 0;
  const int error = errno;
  ::umask(before);
  if (bound) return std::unique_ptr<ControlSocket>(new ControlSocket(path, listener, queue));
  ::close(listener);
  return std::unexpected(report::system_problem(path, error));
}

ControlSocket::~ControlSocket() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  ::close(listener_);
  ::unlink(path_.c_str());
}

void ControlSocket::start() {
  const capture::SignalsBlocked owners;
  thread_ = std::thread([this] { run(); });
}

void ControlSocket::run() {
  while (!stop_) {
    pollfd polled{listener_, POLLIN, 0};
    if (::poll(&polled, 1, kTickMs) <= 0) continue;
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) {
      ::poll(nullptr, 0, kTickMs);  // as when there are no descriptors left
      continue;
    }
    const timeval most{.tv_sec = kRequest.count(), .tv_usec = 0};
    ::setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
    serve(connection);
    ::close(connection);
  }
}

void ControlSocket::serve(int connection) {
  const auto head = read_head(connection);
  if (!head) return send_answer(connection, refusal(400, "no whole request came in time"));
  const auto command = command_in(*head);
  send_answer(connection, command ? ask(*command) : command.error());
}

Answer ControlSocket::ask(const Command& command) {
  const auto promise = std::make_shared<std::promise<Answer>>();
  auto answer = promise->get_future();
  queue_.put(command, [promise](Answer given) { promise->set_value(std::move(given)); });
  for (const auto until = Clock::now() + kOwner; !stop_ && Clock::now() < until;) {
    if (answer.wait_for(std::chrono::milliseconds(kTickMs)) == std::future_status::ready) return answer.get();
  }
  return refusal(503, "the gateway does not answer");
}

}  // namespace weir::gateway
