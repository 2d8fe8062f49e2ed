// One observer for several reports.
#pragma once

#include <vector>

#include "engine/observer.h"

namespace weir::report {

/// Purpose: tells each report in turn. Reports that want the stream are apart: where there is none, a chunk costs one call.
class Fanout : public engine::Observer {
 public:
  /// `stream`: it wants on_handshake ... on_reset, too.
  void add(engine::Observer& report, bool stream) {
    all_.push_back(&report);
    if (stream) streams_.push_back(&report);
  }
  bool wants_streams() const { return !streams_.empty(); }

  void on_handshake(const engine::ConnectionInfo& info, engine::Handshake what, TimeNs time) override {
    for (auto* each : streams_) each->on_handshake(info, what, time);
  }
  void on_data(const engine::ConnectionInfo& info, const engine::StreamChunk& chunk) override {
    for (auto* each : streams_) each->on_data(info, chunk);
  }
  void on_gap(const engine::ConnectionInfo& info, engine::Direction direction, std::uint64_t offset, std::uint64_t bytes, TimeNs time) override {
    for (auto* each : streams_) each->on_gap(info, direction, offset, bytes, time);
  }
  void on_ack(const engine::ConnectionInfo& info, engine::Direction direction, std::uint64_t offset, TimeNs time) override {
    for (auto* each : streams_) each->on_ack(info, direction, offset, time);
  }
  void on_fin(const engine::ConnectionInfo& info, engine::Direction direction, TimeNs time) override {
    for (auto* each : streams_) each->on_fin(info, direction, time);
  }
  void on_reset(const engine::ConnectionInfo& info, engine::Direction direction, TimeNs time) override {
    for (auto* each : streams_) each->on_reset(info, direction, time);
  }
  void on_connection(const engine::ConnectionRecord& record) override {
    for (auto* each : all_) each->on_connection(record);
  }
  void on_flow(const engine::FlowRecord& record) override {
    for (auto* each : all_) each->on_flow(record);
  }
  void on_anomaly(const engine::AnomalyRecord& record) override {
    for (auto* each : all_) each->on_anomaly(record);
  }
  void on_mptcp_use(const engine::ConnectionInfo& info, const inspect::MptcpUse& use) override {
    for (auto* each : all_) each->on_mptcp_use(info, use);
  }
  void on_dns_datagram(const engine::DnsDatagram& datagram) override {
    for (auto* each : all_) each->on_dns_datagram(datagram);
  }
  void on_alert(const engine::AlertRecord& record) override {
    for (auto* each : all_) each->on_alert(record);
  }
  void on_application(const engine::ApplicationRecord& record) override {
    for (auto* each : all_) each->on_application(record);
  }
  void on_file_data(const engine::ConnectionInfo& info, std::uint64_t file, std::span<const std::byte> bytes) override {
    for (auto* each : streams_) each->on_file_data(info, file, bytes);
  }
  void on_mapped(const engine::ConnectionInfo& info, const engine::MappedArrival& arrival) override {
    for (auto* each : all_) each->on_mapped(info, arrival);
  }
  void on_option(const engine::ConnectionInfo& info, const engine::OptionSeen& option) override {
    for (auto* each : all_) each->on_option(info, option);
  }

 private:
  std::vector<engine::Observer*> all_, streams_;
};

}  // namespace weir::report
