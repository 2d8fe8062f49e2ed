// The log: EVE JSON lines, the format of Suricata's eve.json. CONTRACT: the records of docs, "The log".
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "engine/observer.h"
#include "inspect/inventory.h"
#include "report/community_id.h"
#include "report/json.h"
#include "report/lines.h"
#include "report/magic.h"
#include "report/policy_record.h"

namespace weir::report {

/// The name of a capture point, as the log has it.
using PointNames = std::function<std::string(PointId)>;

/// "decode.packets" and its value: the log nests by the dots.
/// In a part of such a name it stands for a dot: interfaces have some.
inline constexpr char kDotWithin = '\x1f';
using NamedCounter = std::pair<std::string_view, std::uint64_t>;

/// Purpose: one line for each connection, flow and anomaly, and for the counters. Never a key, never an HMAC: the records
/// that come here hold none. One owner, one thread.
class EveWriter : public engine::Observer {
 public:
  EveWriter(LineSink& sink, PointNames points) : out_(sink), points_(std::move(points)) {}

  void on_connection(const engine::ConnectionRecord& record) override;
  void on_flow(const engine::FlowRecord& record) override;
  void on_anomaly(const engine::AnomalyRecord& record) override;
  void on_alert(const engine::AlertRecord& record) override;
  void on_application(const engine::ApplicationRecord& record) override;
  /// Something new in the inventory, and the connection that showed it.
  void write_inventory(const engine::ConnectionInfo& info, TimeNs time, const inspect::InventoryNews& news);

  void write_policy(const PolicyRecord& record);

  /// Lines go out that have waited for more.
  void flush() { out_.flush(); }
  /// Files that are seen whole are stored.
  void files_stored() { files_stored_ = true; }
  /// The input has ended: flows that are logged from here on end for that reason.
  void input_ended() { input_ended_ = true; }
  /// The counters, in any order; `uptime_s` in packet time. No name may be another's beginning ("a" and "a.b").
  void write_stats(TimeNs now, std::int64_t uptime_s, std::span<const NamedCounter> counters);

 private:
  JsonWriter begin(TimeNs time, std::string_view event_type);
  void end(JsonWriter& json);
  void endpoints(JsonWriter& json, const engine::Endpoints& flow);
  void tcp_flow(JsonWriter& json, const engine::Endpoints& flow);
  void subflow(JsonWriter& json, const engine::SubflowRecord& record);

  LineBuffer out_;
  PointNames points_;
  CommunityId community_id_;
  FileMagic magic_;
  bool files_stored_ = false;
  bool input_ended_ = false;
};

}  // namespace weir::report
