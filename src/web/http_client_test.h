// What tests ask a StatusServer with: plain octets, also those that no HTTP library would send.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <string>

#include "web/status_server.h"

namespace weir::web {

/// A connection to it, which waits for 10 s at most. The caller closes it.
inline int connect_to(const StatusServer& server) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const timeval patience{10, 0};
  ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return connection;
}

/// What comes back until the server closes.
inline std::string ask(const StatusServer& server, const std::string& request) {
  const int connection = connect_to(server);
  ::send(connection, request.data(), request.size(), MSG_NOSIGNAL);
  std::string got;
  char piece[4096];
  for (ssize_t count = 0; (count = ::recv(connection, piece, sizeof piece, 0)) > 0;) got.append(piece, static_cast<std::size_t>(count));
  ::close(connection);
  return got;
}

}  // namespace weir::web
