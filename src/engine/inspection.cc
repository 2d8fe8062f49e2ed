#include "engine/inspection.h"

#include <algorithm>
#include <utility>

namespace weir::engine {

using inspect::AppProtocol;
using inspect::Stage;
using inspect::Transaction;

namespace {

std::string_view name_of(AppProtocol protocol) {
  switch (protocol) {
    case AppProtocol::kHttp:
      return "http";
    case AppProtocol::kTls:
      return "tls";
    case AppProtocol::kDns:
      return "dns";
    case AppProtocol::kUnknown:
    case AppProtocol::kFailed:
      break;
  }
  return "";
}

}  // namespace

/// What is kept of a connection.
struct Inspection::Connection {
  std::unique_ptr<inspect::match::ConnectionMatcher> matcher;
  inspect::apps::Application application;
  std::list<Connection*>::iterator place;
  std::vector<std::uint32_t> server_opened;  ///< ids of subflows, ascending
  bool hot = false;
  bool protocol_told = false;
  bool depth_reached = false;
  bool alerted = false;
  bool ended[2] = {false, false};
  std::uint64_t seen[2] = {0, 0};
  std::uint64_t gaps[2] = {0, 0};
};

inspect::match::Facts Inspection::facts_of(const Connection& c, const ConnectionInfo& info) {
  return {.endpoints = info.endpoints,
          .version = info.mptcp ? info.version : std::nullopt,
          .subflows = info.established_subflows,
          .server_opened = c.server_opened,
          .protocol = c.application.protocol()};
}

/// Passes on what application and matcher say of one connection.
class Inspection::Told : public inspect::apps::Sink, public inspect::match::FoundSink {
 public:
  Told(Inspection& owner, Connection& c, const ConnectionInfo& info) : owner_(owner), c_(c), info_(info) {}

  void on_stage(Stage stage, const Transaction& transaction, TimeNs now) override {
    if (!c_.matcher) return;
    c_.matcher->stage(facts_of(c_, info_), stage, transaction, now, owner_.shared_, *this);
  }
  void on_http(const inspect::apps::HttpRecord& record) override { owner_.next_.on_application({info_, record}); }
  void on_tls(const inspect::apps::TlsRecord& record) override { owner_.next_.on_application({info_, record}); }
  void on_file(const inspect::apps::FileRecord& record) override { owner_.next_.on_application({info_, record}); }
  void on_dns(const inspect::apps::DnsRecord& record) override { owner_.next_.on_application({info_, record}); }
  void on_file_data(std::uint64_t file, std::span<const std::byte> bytes) override { owner_.next_.on_file_data(info_, file, bytes); }

  void on_found(const inspect::match::Found& found) override {
    const inspect::rules::Rule& rule = *found.rule;
    AlertRecord alert;
    alert.time_ns = found.time_ns;
    alert.connection = info_;
    alert.gid = rule.gid;
    alert.signature_id = rule.sid;
    alert.rev = rule.rev;
    alert.severity = rule.priority;
    alert.signature = rule.message;
    alert.category = rule.category;
    alert.metadata = rule.metadata;
    alert.direction = found.direction;
    alert.app_proto = name_of(c_.application.protocol());
    alert.subflows = found.subflows;
    alert.split = found.subflows.size() > 1;
    alert.dsn_first = found.first;
    alert.dsn_last = found.last;
    const auto d = index(found.direction);
    const std::uint64_t all = c_.seen[d] + c_.gaps[d];
    alert.visibility = all == 0 ? 1.0 : static_cast<double>(c_.seen[d]) / static_cast<double>(all);
    ++owner_.alerts_;
    c_.alerted = true;
    owner_.next_.on_alert(alert);
  }

 private:
  Inspection& owner_;
  Connection& c_;
  const ConnectionInfo& info_;
};

Inspection::Inspection(InspectionSettings settings, Observer& next)
    : settings_(std::move(settings)),
      application_settings_(settings_.limits, settings_.rules && settings_.rules->needs_applications(), settings_.files),
      next_(next) {}

Inspection::~Inspection() = default;

void Inspection::use(std::shared_ptr<const inspect::match::RuleSet> rules) {
  settings_.rules = std::move(rules);
  // Connections that run on with rules about applications still need what is gathered for them.
  application_settings_.rules |= settings_.rules && settings_.rules->needs_applications();
}

std::vector<std::pair<std::string_view, std::uint64_t>> Inspection::counters() const {
  return {{"alerts", alerts_},
          {"limited.connections", limited_connections_},
          {"limited.depth", limited_depth_},
          {"limited.flowints", shared_.limited_flowints},
          {"limited.pending", shared_.limited_pending},
          {"limited.provenance", shared_.forgotten_provenance},
          {"limited.rules", shared_.limited_evaluations + shared_.limited_rules},
          {"limited.scans", shared_.failed_scans},
          {"limited.thresholds", shared_.thresholds.restarts()},
          {"limited.xbits", shared_.host_bits.dropped()}};
}

Inspection::Connection& Inspection::connection(const ConnectionInfo& info) {
  auto& c = connections_[info.number];
  if (!c) {
    c = std::make_unique<Connection>();
    if (settings_.rules) c->matcher = std::make_unique<inspect::match::ConnectionMatcher>(settings_.rules);
  }
  touch(*c);
  return *c;
}

void Inspection::touch(Connection& c) {
  if (!c.matcher) return;
  if (c.hot) {
    if (c.place != hot_.begin()) hot_.splice(hot_.begin(), hot_, c.place);
    return;
  }
  if (std::cmp_greater_equal(hot_.size(), settings_.limits.hot_streams)) {
    Connection& coldest = *hot_.back();
    coldest.matcher->pack();
    coldest.hot = false;
    hot_.pop_back();
  }
  c.place = hot_.insert(hot_.begin(), &c);
  c.hot = true;
}

void Inspection::on_data(const ConnectionInfo& info, const StreamChunk& chunk) {
  Connection& c = connection(info);
  const auto d = index(chunk.direction);
  c.seen[d] += chunk.bytes.size();
  if (chunk.opened_by_server) {
    const auto place = std::ranges::lower_bound(c.server_opened, chunk.subflow);
    if (place == c.server_opened.end() || *place != chunk.subflow) c.server_opened.insert(place, chunk.subflow);
  }
  Told told(*this, c, info);
  auto bytes = chunk.bytes;
  if (const auto depth = static_cast<std::uint64_t>(settings_.limits.inspect_depth_bytes); depth != 0 && chunk.offset + bytes.size() > depth) {
    bytes = bytes.first(chunk.offset < depth ? static_cast<std::size_t>(depth - chunk.offset) : 0);
    if (!std::exchange(c.depth_reached, true)) ++limited_depth_;
  }
  // The match may end in bytes whose subflow is known, and the parts of a transaction in bytes before these: provenance comes first.
  if (c.matcher && !bytes.empty()) {
    c.matcher->data(facts_of(c, info), chunk.direction, chunk.offset, bytes, chunk.subflow, chunk.time_ns, shared_, told);
  }
  if (settings_.applications && !c.application.done()) {
    c.application.data(application_settings_, chunk.direction, chunk.offset, chunk.bytes, chunk.time_ns, told);
    if (!c.protocol_told && c.application.protocol() != AppProtocol::kUnknown) {
      c.protocol_told = true;
      if (c.matcher) c.matcher->protocol_known(facts_of(c, info), chunk.time_ns, shared_, told);
    }
  }
  next_.on_data(info, chunk);
}

void Inspection::on_gap(const ConnectionInfo& info, Direction d, std::uint64_t offset, std::uint64_t bytes, TimeNs now) {
  Connection& c = connection(info);
  c.gaps[index(d)] += bytes;
  if (c.matcher) c.matcher->gap(d, offset, bytes);
  Told told(*this, c, info);
  if (settings_.applications && !c.application.done()) c.application.gap(application_settings_, d, offset, bytes, now, told);
  next_.on_gap(info, d, offset, bytes, now);
}

void Inspection::fin(Connection& c, const ConnectionInfo& info, Direction d, TimeNs now) {
  if (std::exchange(c.ended[index(d)], true)) return;
  Told told(*this, c, info);
  if (c.matcher) c.matcher->fin(facts_of(c, info), d, now, shared_, told);
  if (settings_.applications && !c.application.done()) c.application.fin(application_settings_, d, now, told);
}

void Inspection::end(const ConnectionInfo& info, TimeNs now) {
  const auto found = connections_.find(info.number);
  if (found == connections_.end()) return;
  Connection& c = *found->second;
  Told told(*this, c, info);
  if (settings_.applications && !c.application.done()) c.application.end(application_settings_, now, told);
  for (const Direction d : {Direction::kToServer, Direction::kToClient}) fin(c, info, d, now);
}

std::unique_ptr<Inspection::Connection> Inspection::take(std::uint64_t number) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return nullptr;
  auto c = std::move(found->second);
  connections_.erase(found);
  if (c->hot) hot_.erase(c->place);
  if (c->matcher && c->matcher->limited()) ++limited_connections_;
  return c;
}

void Inspection::on_fin(const ConnectionInfo& info, Direction d, TimeNs now) {
  if (const auto found = connections_.find(info.number); found != connections_.end()) fin(*found->second, info, d, now);
  next_.on_fin(info, d, now);
}

void Inspection::on_connection(const ConnectionRecord& record) {
  end(record.info, record.last_ns);
  const auto c = take(record.info.number);
  if (!c || (!c->depth_reached && !(c->matcher && c->matcher->limited()))) return next_.on_connection(record);
  ConnectionRecord more = record;
  if (c->depth_reached) more.not_inspected.emplace_back("inspect_depth_bytes");
  if (c->matcher && c->matcher->limited()) more.not_inspected.emplace_back("rules");
  next_.on_connection(more);
}

void Inspection::on_flow(const FlowRecord& record) {
  end(record.info, record.last_ns);
  const auto c = take(record.info.number);
  if (!c) return next_.on_flow(record);
  FlowRecord more = record;
  if (c->depth_reached) more.not_inspected.emplace_back("inspect_depth_bytes");
  if (c->matcher && c->matcher->limited()) more.not_inspected.emplace_back("rules");
  more.alerted = c->alerted;
  more.app_proto = name_of(c->application.protocol());
  next_.on_flow(more);
}

void Inspection::on_handshake(const ConnectionInfo& info, Handshake what, TimeNs now) { next_.on_handshake(info, what, now); }
void Inspection::on_ack(const ConnectionInfo& info, Direction d, std::uint64_t offset, TimeNs now) { next_.on_ack(info, d, offset, now); }
void Inspection::on_reset(const ConnectionInfo& info, Direction d, TimeNs now) { next_.on_reset(info, d, now); }
void Inspection::on_anomaly(const AnomalyRecord& record) { next_.on_anomaly(record); }
void Inspection::on_mapped(const ConnectionInfo& info, const MappedArrival& arrival) { next_.on_mapped(info, arrival); }
void Inspection::on_option(const ConnectionInfo& info, const OptionSeen& option) { next_.on_option(info, option); }

}  // namespace weir::engine
