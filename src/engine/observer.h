// What the engine tells as it goes: the reports implement it. Called from within Engine::step(), on its thread.
#pragma once

#include "engine/records.h"

namespace weir::engine {

/// Order, for each connection: on_handshake (kSyn, kSynAck, kEstablished; what was seen of them; or kMidstream) once each, then per
/// direction on_data and on_gap in the order of the stream, on_ack never past what was given, on_fin last of its direction;
/// on_reset ends both directions; on_connection, on_flow or on_gone is the last call for it.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_handshake(const ConnectionInfo&, Handshake, TimeNs) {}
  virtual void on_data(const ConnectionInfo&, const StreamChunk&) {}
  /// Bytes that no capture point showed: `bytes` from `offset` on. What follows is given with its right offset.
  virtual void on_gap(const ConnectionInfo&, Direction, std::uint64_t /*offset*/, std::uint64_t /*bytes*/, TimeNs) {}
  /// The receiver of `Direction` has acknowledged everything before `offset` (never more than was given).
  virtual void on_ack(const ConnectionInfo&, Direction, std::uint64_t /*offset*/, TimeNs) {}
  /// DATA_FIN (or FIN, for plain TCP) of that direction, all bytes before it given.
  virtual void on_fin(const ConnectionInfo&, Direction, TimeNs) {}
  /// The sender of `Direction` ended the connection by MP_FASTCLOSE or RST.
  virtual void on_reset(const ConnectionInfo&, Direction, TimeNs) {}
  virtual void on_alert(const AlertRecord&) {}
  virtual void on_application(const ApplicationRecord&) {}
  /// The bytes of a file in an application's transfer, as they come; `file` counts within the connection. Its FileRecord follows.
  virtual void on_file_data(const ConnectionInfo&, std::uint64_t /*file*/, std::span<const std::byte>) {}
  /// Only with Settings::plot_events: what came, before it was put in order, and what options said.
  virtual void on_mapped(const ConnectionInfo&, const MappedArrival&) {}
  virtual void on_option(const ConnectionInfo&, const OptionSeen&) {}
  virtual void on_connection(const ConnectionRecord&) {}
  virtual void on_flow(const FlowRecord&) {}
  /// The connection with that number is gone without a record: one that no one answered, or that turned out to be part of another.
  virtual void on_gone(std::uint64_t /*number*/) {}
  virtual void on_anomaly(const AnomalyRecord&) {}
  /// Whoever speaks MPTCP, or does not, as soon as the connection's id is final; of one that no one answered only on_gone follows.
  virtual void on_mptcp_use(const ConnectionInfo&, const inspect::MptcpUse&) {}
  /// A UDP datagram from or to port 53, as captured.
  virtual void on_dns_datagram(const DnsDatagram&) {}
};

}  // namespace weir::engine
