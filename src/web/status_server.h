// Metrics, health and status over HTTP, for those who watch a program, and control of it, for those who have its token.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "report/problem.h"
#include "web/api.h"
#include "web/status.h"

namespace weir::web {

/// Purpose: answers GET /metrics, /healthz and /api/v1/status out of the last snapshot; nothing else. With an Api all that is under /api/ is that one's, for
/// who has its token. Ownership: its socket and its one thread. Limits, all of them beside kConnections in the source: connections at once, octets of a
/// request's head, no body, seconds for a request and for the Api's answer; a connection has one answer. Threads: publish() from any; all else from the one
/// that opened it.
class StatusServer {
 public:
  /// `address`: "127.0.0.1:8384", "[::1]:8384"; port 0: any that is free.
  static std::expected<std::unique_ptr<StatusServer>, report::Problem> open(const std::string& address, std::string version);
  ~StatusServer();

  /// Before start().
  void use(Api api);
  /// Begins to answer: after privileges were dropped, which counts for threads begun later.
  void start();
  void publish(Status status);
  unsigned short port() const;

 private:
  class Server;
  explicit StatusServer(std::unique_ptr<Server> server);
  std::unique_ptr<Server> server_;
};

/// Whether StatusServer::open() can read it.
bool is_listen_address(const std::string& address);
/// Whether only programs of this machine come to such an address.
bool is_loopback(const std::string& address);

}  // namespace weir::web
