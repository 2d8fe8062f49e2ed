// The part of TLS that is not encrypted: hellos, and the server's certificate up to TLS 1.2.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inspect/apps/application.h"

namespace weir::inspect::apps {

/// Purpose: reads the handshake in both directions, across records, until it is encrypted. Bound: Limits::app_header_bytes a direction.
class Tls {
 public:
  void data(const ApplicationSettings&, Direction, std::uint64_t offset, std::span<const std::byte>, TimeNs, Sink&);
  void stop(Direction d) { sides_[index(d)].done = true; }
  void end(const ApplicationSettings&, TimeNs, Sink&);
  bool done() const { return sides_[0].done && sides_[1].done; }

 private:
  /// Where in the stream a run of handshake bytes came from.
  struct Run {
    std::size_t from = 0;
    std::uint64_t offset = 0;
  };
  struct Side {
    std::vector<std::byte> record;  ///< of a record that is not whole
    std::vector<std::byte> handshake;
    std::vector<Run> runs;
    std::uint64_t next = 0;  ///< offset behind the last byte given
    bool done = false;
  };
  bool take_records(const ApplicationSettings&, Direction, TimeNs, Sink&);
  bool take_messages(const ApplicationSettings&, Direction, TimeNs, Sink&);
  void client_hello(const ApplicationSettings&, std::span<const std::byte> body, std::size_t at, TimeNs, Sink&);
  void server_hello(const ApplicationSettings&, std::span<const std::byte> body, std::size_t at, TimeNs, Sink&);
  void certificate(const ApplicationSettings&, std::span<const std::byte> body, std::size_t at, TimeNs, Sink&);
  void set(Direction, Buffer, const std::string& text, std::size_t from, std::size_t size);
  void tell(TimeNs, Sink&);
  static std::uint64_t offset_of(const Side& side, std::size_t at);

  Side sides_[2];
  TlsRecord record_;
  Transaction transaction_;
  std::vector<std::unique_ptr<std::string>> texts_;
  bool any_ = false, told_ = false, has_server_hello_ = false;
};

}  // namespace weir::inspect::apps
