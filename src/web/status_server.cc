#include "web/status_server.h"

#include <pthread.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <chrono>
#include <exception>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "capture/signals_blocked.h"
#include "report/json.h"
#include "web/token.h"

namespace weir::web {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

constexpr int kConnections = 32;               ///< at once; further ones are closed unanswered
constexpr std::uint32_t kHeadBytes = 8 << 10;  ///< of a request
constexpr std::chrono::seconds kRequest{5};    ///< for reading it, and again for writing the answer
constexpr std::chrono::seconds kAnswer{40};    ///< for the program to answer what it is asked: it may be reading rules
constexpr std::chrono::seconds kSilent{10};    ///< without a snapshot: the main loop hangs
constexpr std::chrono::milliseconds kAcceptRetry{200};

std::optional<tcp::endpoint> parse(std::string_view address) {
  const auto colon = address.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = address.substr(0, colon);
  const std::string_view digits = address.substr(colon + 1);
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  unsigned short port = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  boost::system::error_code error;
  const auto ip = asio::ip::make_address(std::string(host), error);
  if (error || digits.empty() || code != std::errc() || end != digits.data() + digits.size() || ip.is_v6() != brackets) return std::nullopt;
  return tcp::endpoint(ip, port);
}

std::string error_json(std::string_view why) {
  std::string text;
  report::JsonWriter(text).begin_object().field("error", why).end_object();
  return text + "\n";
}

}  // namespace

class StatusServer::Server {
 public:
  explicit Server(std::string version) : version_(std::move(version)), acceptor_(context_), retry_(context_) {}
  ~Server() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

  boost::system::error_code open(const tcp::endpoint& endpoint) {
    boost::system::error_code error;
    if (acceptor_.open(endpoint.protocol(), error) || acceptor_.set_option(asio::socket_base::reuse_address(true), error) || acceptor_.bind(endpoint, error))
      return error;
    return acceptor_.listen(kConnections, error);
  }

  void start() {
    accept();
    const capture::SignalsBlocked main_loops;
    thread_ = std::thread([this] {
      for (bool again = true; again;) {
        again = false;
        try {
          context_.run();
        } catch (const std::exception&) {  // of one request: for want of memory
          again = true;
        }
      }
    });
  }

  void use(Api api) { api_ = std::move(api); }

  void publish(Status status) {
    const std::scoped_lock lock(mutex_);
    status_ = std::move(status);
    published_ = Clock::now();
  }

  unsigned short port() const {
    boost::system::error_code error;
    return acceptor_.local_endpoint(error).port();
  }

 private:
  /// One connection: a request, an answer, the end.
  class Connection : public std::enable_shared_from_this<Connection> {
   public:
    Connection(Server& server, tcp::socket socket)
        : server_(server), stream_(std::move(socket)), patience_(stream_.get_executor()), buffer_(std::size_t{2} * kHeadBytes) {
      ++server_.connections_;
    }
    ~Connection() { --server_.connections_; }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void read() {
      parser_.header_limit(kHeadBytes);
      parser_.body_limit(0);
      stream_.expires_after(kRequest);
      http::async_read_header(stream_, buffer_, parser_, [self = shared_from_this()](beast::error_code error, std::size_t) {
        if (!error) self->answer();
      });
    }

   private:
    void answer() {
      if (server_.api_ && is_api(parser_.get())) return ask();
      server_.answer(parser_.get(), answer_);
      write();
    }

    void ask() {
      if (const auto refused = server_.refused(parser_)) return write_json(*refused);
      // The timer keeps this alive, and the reply does not: it may come when all is over.
      patience_.expires_after(kAnswer);
      patience_.async_wait([self = shared_from_this()](beast::error_code) {
        if (!std::exchange(self->answered_, true)) self->write_json({.status = 504, .body = error_json("no answer came in time")});
      });
      stream_.expires_never();
      const auto method = parser_.get().method_string(), target = parser_.get().target();
      server_.api_->ask({.method = {method.data(), method.size()}, .target = {target.data(), target.size()}}, [weak = weak_from_this()](ApiAnswer answer) {
        auto self = weak.lock();
        if (!self) return;
        // This thread keeps nothing of it: its end is the server's.
        const auto executor = self->stream_.get_executor();
        asio::post(executor, [self = std::move(self), answer = std::move(answer)] {
          if (std::exchange(self->answered_, true)) return;
          self->patience_.cancel();
          self->write_json(answer);
        });
      });
    }

    void write_json(const ApiAnswer& given) {
      answer_.result(given.status);
      answer_.set(http::field::content_type, "application/json");
      if (given.status == 401) answer_.set(http::field::www_authenticate, "Bearer");
      answer_.body() = given.body;
      write();
    }

    void write() {
      answer_.version(11);
      answer_.set(http::field::server, "weir");
      answer_.set(http::field::cache_control, "no-store");
      answer_.set("X-Content-Type-Options", "nosniff");
      answer_.keep_alive(false);
      answer_.prepare_payload();
      stream_.expires_after(kRequest);
      http::async_write(stream_, answer_, [self = shared_from_this()](beast::error_code, std::size_t) {
        beast::error_code ignored;
        ignored = self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);  // it is over either way
      });
    }

    Server& server_;
    beast::tcp_stream stream_;
    asio::steady_timer patience_;
    bool answered_ = false;
    beast::flat_buffer buffer_;
    http::request_parser<http::empty_body> parser_;
    http::response<http::string_body> answer_;
  };

  void accept() {
    acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
      if (error) {  // as when there are no descriptors left
        retry_.expires_after(kAcceptRetry);
        retry_.async_wait([this](boost::system::error_code stopped) {
          if (!stopped) accept();
        });
        return;
      }
      accept();  // first: whatever becomes of this one, others are taken
      if (connections_ < kConnections) std::make_shared<Connection>(*this, std::move(socket))->read();
    });
  }

  using Request = http::request_parser<http::empty_body>;
  static std::string_view path_of(const http::request<http::empty_body>& request) {
    const auto target = request.target();
    const std::string_view whole(target.data(), target.size());
    return whole.substr(0, whole.find('?'));
  }
  static bool is_api(const http::request<http::empty_body>& request) { return path_of(request).starts_with("/api/"); }

  /// Who has not the token is told nothing but how to ask.
  std::optional<ApiAnswer> refused(const Request& parser) const {
    if (api_->token.empty()) return ApiAnswer{.status = 403, .body = error_json(api_->closed_why)};
    const auto given = parser.get()[http::field::authorization];
    if (!has_token({given.data(), given.size()}, api_->token))
      return ApiAnswer{.status = 401, .body = error_json("the token is needed: Authorization: Bearer TOKEN (gateway.control.token_file)")};
    if (parser.chunked()) return ApiAnswer{.status = 400, .body = error_json("no body is taken")};
    return std::nullopt;
  }

  Status status() const {
    const std::scoped_lock lock(mutex_);
    Status now = status_;
    if (Clock::now() - published_ > kSilent) now.problems.emplace_back("the main loop does not answer");
    return now;
  }

  void answer(const http::request<http::empty_body>& request, http::response<http::string_body>& answer) const {
    if (request.method() != http::verb::get) {
      answer.result(http::status::method_not_allowed);
      answer.set(http::field::allow, "GET");
      return;
    }
    const std::string_view path = path_of(request);
    if (path == "/metrics") {
      answer.set(http::field::content_type, "text/plain; version=0.0.4; charset=utf-8");
      answer.body() = metrics_text(status(), version_);
    } else if (path == "/healthz") {
      const Status now = status();
      const bool well = now.problems.empty() && !now.draining;
      answer.result(well ? http::status::ok : http::status::service_unavailable);
      answer.set(http::field::content_type, well ? "text/plain" : "application/json");
      answer.body() = well ? "ok\n" : problems_json(now);
    } else if (path == "/api/v1/status") {
      answer.set(http::field::content_type, "application/json");
      answer.body() = status_json(status(), version_);
    } else {
      answer.result(http::status::not_found);
    }
  }

  const std::string version_;
  std::optional<Api> api_;
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  int connections_ = 0;  ///< of the thread
  std::thread thread_;
  mutable std::mutex mutex_;
  Status status_;
  Clock::time_point published_ = Clock::now();
};

std::expected<std::unique_ptr<StatusServer>, report::Problem> StatusServer::open(const std::string& address, std::string version) {
  const auto endpoint = parse(address);
  if (!endpoint) return std::unexpected(report::Problem{address, "is no address and port, as in 127.0.0.1:8384"});
  auto server = std::make_unique<Server>(std::move(version));
  if (const auto error = server->open(*endpoint)) return std::unexpected(report::Problem{address, error.message()});
  return std::unique_ptr<StatusServer>(new StatusServer(std::move(server)));
}

StatusServer::StatusServer(std::unique_ptr<Server> server) : server_(std::move(server)) {}
StatusServer::~StatusServer() = default;
void StatusServer::use(Api api) { server_->use(std::move(api)); }
void StatusServer::start() { server_->start(); }
void StatusServer::publish(Status status) { server_->publish(std::move(status)); }
unsigned short StatusServer::port() const { return server_->port(); }

bool is_listen_address(const std::string& address) { return parse(address).has_value(); }

bool is_loopback(const std::string& address) {
  const auto endpoint = parse(address);
  return endpoint && endpoint->address().is_loopback();
}

}  // namespace weir::web
