// What a connection's application layer says, read from its rebuilt stream.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/direction.h"
#include "base/limits.h"
#include "base/raw_packet.h"
#include "inspect/apps/records.h"
#include "inspect/buffers.h"

namespace weir::inspect::apps {

/// Who is told. Called from within Application's functions.
class Sink {
 public:
  virtual ~Sink() = default;
  /// The parts of `stage` are complete (those of earlier stages of the same transaction are there, too).
  virtual void on_stage(Stage, const Transaction&, TimeNs) {}
  virtual void on_http(const HttpRecord&) {}
  virtual void on_tls(const TlsRecord&) {}
  virtual void on_file(const FileRecord&) {}
  virtual void on_dns(const DnsRecord&) {}
  /// The bytes of a file, as they come; `file` is its number within the connection, from 0. Before its on_file.
  virtual void on_file_data(std::uint64_t /*file*/, std::span<const std::byte>) {}
};

struct HttpConfig;  // libhtp's, shared by all connections

/// What to do beyond the records.
struct ApplicationSettings {
  Limits limits;
  bool rules = false;  ///< on_stage is wanted: buffers are gathered
  bool files = true;   ///< on_file is wanted
  std::shared_ptr<const HttpConfig> http;

  ApplicationSettings(const Limits& all_limits, bool with_rules, bool with_files);
};

/// Purpose: finds out what a connection speaks (by content, not by port) and reads it: HTTP/1, TLS handshakes, DNS over TCP.
/// Invariant: bytes come in order for each direction; what has to be kept is bounded by Limits (app_*). One owner, one thread, no clock.
/// An idle connection of unknown protocol costs little: the parser is made when the protocol is known, and given up when it has ended.
class Application {
 public:
  Application();
  ~Application();
  Application(Application&&) noexcept;
  Application& operator=(Application&&) noexcept;

  AppProtocol protocol() const;
  /// Nothing more will be read of it (not a known protocol, or a TLS handshake that is over): data need not be given any longer.
  bool done() const;
  void data(const ApplicationSettings&, Direction, std::uint64_t offset, std::span<const std::byte>, TimeNs, Sink&);
  void gap(const ApplicationSettings&, Direction, std::uint64_t offset, std::uint64_t bytes, TimeNs, Sink&);
  void fin(const ApplicationSettings&, Direction, TimeNs, Sink&);
  /// The connection is over: what is unfinished is told as such.
  void end(const ApplicationSettings&, TimeNs, Sink&);
  std::uint64_t held_bytes() const;
  /// Nothing is held: protocol() and done() say all there is, and resume() makes the same again.
  bool at_rest() const { return state_ == nullptr; }
  void resume(AppProtocol protocol, bool done) {
    protocol_ = protocol;
    done_ = done;
  }

 private:
  struct State;
  void feed(const ApplicationSettings&, Direction, std::uint64_t offset, std::span<const std::byte>, TimeNs, Sink&);
  void finish_if_done(const ApplicationSettings&, TimeNs, Sink&);
  void give_up();

  std::unique_ptr<State> state_;
  AppProtocol protocol_ = AppProtocol::kUnknown;
  bool done_ = false;
};

}  // namespace weir::inspect::apps
