#include "engine/inspection.h"

#include <algorithm>
#include <cstring>
#include <new>
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

/// The number, and which of the two forms follows.
struct Inspection::Head {
  static constexpr std::uint64_t kPacked = 1ULL << 63U;
  std::uint64_t word = 0;
  std::uint64_t number() const { return word & ~kPacked; }
  bool packed() const { return (word & kPacked) != 0; }
};

/// What is kept of a connection.
struct Inspection::Connection : Inspection::Head {
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

/// The same in one block: this, and the octets behind it.
struct Inspection::Packed : Inspection::Head {
  static constexpr std::size_t kMostBytes = 0xffff;
  static constexpr std::size_t kStateAt = sizeof(Head) + sizeof(std::uint16_t);
  static std::unique_ptr<Packed> make(std::uint64_t number, std::span<const std::byte> state) {
    void* const space = ::operator new(std::max(sizeof(Packed), kStateAt + state.size()));
    std::unique_ptr<Packed> p(::new (space) Packed);
    p->word = number | kPacked;
    p->size = static_cast<std::uint16_t>(state.size());
    std::memcpy(reinterpret_cast<std::byte*>(p.get()) + kStateAt, state.data(), state.size());
    return p;
  }
  static void operator delete(void* at) { ::operator delete(at); }
  std::span<const std::byte> state() const { return {reinterpret_cast<const std::byte*>(this) + kStateAt, size}; }

  std::uint16_t size = 0;
};

Inspection::Entry::Entry(std::unique_ptr<Connection> c) : at_(c.release()) {}
Inspection::Entry::~Entry() { become(std::unique_ptr<Connection>()); }
std::uint64_t Inspection::Entry::number() const { return at_->number(); }
Inspection::Connection* Inspection::Entry::connection() const { return at_->packed() ? nullptr : static_cast<Connection*>(at_); }
Inspection::Packed* Inspection::Entry::packed() const { return at_->packed() ? static_cast<Packed*>(at_) : nullptr; }

void Inspection::Entry::become(std::unique_ptr<Connection> c) const {
  if (at_ != nullptr) {
    if (at_->packed()) {
      delete static_cast<Packed*>(at_);
    } else {
      delete static_cast<Connection*>(at_);
    }
  }
  at_ = c.release();
}

void Inspection::Entry::become(std::unique_ptr<Packed> p) const {
  become(std::unique_ptr<Connection>());
  at_ = p.release();
}

std::unique_ptr<Inspection::Connection> Inspection::Entry::release() const {
  std::unique_ptr<Connection> c(connection());
  at_ = nullptr;
  return c;
}

std::size_t Inspection::Hash::operator()(std::uint64_t number) const {
  // Numbers are ours, one after the other: no more is needed than that neighbours lie apart.
  number *= 0x9e3779b97f4a7c15ULL;
  return number ^ (number >> 32U);
}

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
    if (owner_.engine_ != nullptr && (rule.action == inspect::rules::Action::kDrop || rule.action == inspect::rules::Action::kReject)) {
      alert.action = AlertRecord::Action::kBlocked;
      owner_.engine_->block(info_.number, found.direction);
    }
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
  if (Connection* c = known(info.number)) return *c;
  auto c = std::make_unique<Connection>();
  c->word = info.number;
  if (settings_.rules) c->matcher = std::make_unique<inspect::match::ConnectionMatcher>(settings_.rules);
  Connection& made = *connections_.emplace(std::move(c)).first->connection();
  touch(made);
  return made;
}

/// The connection as one of those used last, if anything is kept of it.
Inspection::Connection* Inspection::known(std::uint64_t number) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return nullptr;
  if (Packed* p = found->packed()) found->become(unpack(*p));
  touch(*found->connection());
  return found->connection();
}

void Inspection::touch(Connection& c) {
  if (c.hot) {
    if (c.place != hot_.begin()) hot_.splice(hot_.begin(), hot_, c.place);
    return;
  }
  if (std::cmp_greater_equal(hot_.size(), settings_.limits.hot_streams)) {
    Connection& coldest = *hot_.back();
    coldest.hot = false;
    hot_.pop_back();
    pack(coldest);
  }
  c.place = hot_.insert(hot_.begin(), &c);
  c.hot = true;
}

namespace {

enum Flag : std::uint8_t { kProtocolTold = 1, kDepthReached = 2, kAlerted = 4, kServerEnded = 8, kClientEnded = 16, kApplicationDone = 32, kMatcher = 64 };

}  // namespace

void Inspection::pack(Connection& c) {
  if (c.matcher) c.matcher->pack();
  if (!c.application.at_rest()) return;
  writer_.clear();
  writer_.octet(static_cast<std::uint8_t>((c.protocol_told ? kProtocolTold : 0) | (c.depth_reached ? kDepthReached : 0) | (c.alerted ? kAlerted : 0) |
                                          (c.ended[0] ? kServerEnded : 0) | (c.ended[1] ? kClientEnded : 0) | (c.application.done() ? kApplicationDone : 0) |
                                          (c.matcher ? kMatcher : 0)));
  writer_.octet(static_cast<std::uint8_t>(c.application.protocol()));
  for (const std::uint64_t seen : c.seen) writer_.number(seen);
  for (const std::uint64_t gaps : c.gaps) writer_.number(gaps);
  writer_.number(c.server_opened.size());
  for (const std::uint32_t id : c.server_opened) writer_.number(id);
  std::uint64_t set = 0;
  if (c.matcher) {
    const auto known = std::ranges::find(rules_in_use_, c.matcher->rules(), [](const auto& entry) { return entry.second.rules; });
    set = known != rules_in_use_.end() ? known->first : rules_in_use_.empty() ? 0 : rules_in_use_.rbegin()->first + 1;
    writer_.number(set);
    if (!c.matcher->pack_into(writer_)) return;
  }
  if (writer_.written().size() > Packed::kMostBytes) return;
  if (c.matcher) {
    RulesInUse& used = rules_in_use_[set];
    used.rules = c.matcher->rules();
    ++used.packed;
  }
  connections_.find(c.number())->become(Packed::make(c.number(), writer_.written()));
}

std::unique_ptr<Inspection::Connection> Inspection::unpack(Packed& p) {
  inspect::match::CompactReader in(p.state());
  auto c = std::make_unique<Connection>();
  c->word = p.number();
  const std::uint8_t flags = in.octet();
  c->protocol_told = (flags & kProtocolTold) != 0;
  c->depth_reached = (flags & kDepthReached) != 0;
  c->alerted = (flags & kAlerted) != 0;
  c->ended[0] = (flags & kServerEnded) != 0;
  c->ended[1] = (flags & kClientEnded) != 0;
  const auto protocol = static_cast<AppProtocol>(in.octet());
  c->application.resume(protocol, (flags & kApplicationDone) != 0);
  for (std::uint64_t& seen : c->seen) seen = in.number();
  for (std::uint64_t& gaps : c->gaps) gaps = in.number();
  c->server_opened.resize(static_cast<std::size_t>(in.number()));
  for (std::uint32_t& id : c->server_opened) id = static_cast<std::uint32_t>(in.number());
  if ((flags & kMatcher) != 0) {
    const auto used = rules_in_use_.find(in.number());
    c->matcher = std::make_unique<inspect::match::ConnectionMatcher>(used->second.rules);
    c->matcher->unpack(in);
    if (--used->second.packed == 0) rules_in_use_.erase(used);
  }
  return c;
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
  const TimeNs carried = chunk.carried_ns != 0 ? chunk.carried_ns : chunk.time_ns;
  auto bytes = chunk.bytes;
  if (const auto depth = static_cast<std::uint64_t>(settings_.limits.inspect_depth_bytes); depth != 0 && chunk.offset + bytes.size() > depth) {
    bytes = bytes.first(chunk.offset < depth ? static_cast<std::size_t>(depth - chunk.offset) : 0);
    if (!std::exchange(c.depth_reached, true)) ++limited_depth_;
  }
  // The match may end in bytes whose subflow is known, and the parts of a transaction in bytes before these: provenance comes first.
  if (c.matcher && !bytes.empty()) {
    c.matcher->data(facts_of(c, info), chunk.direction, chunk.offset, bytes, chunk.subflow, carried, shared_, told);
  }
  if (settings_.applications && !c.application.done()) {
    c.application.data(application_settings_, chunk.direction, chunk.offset, chunk.bytes, carried, told);
    if (!c.protocol_told && c.application.protocol() != AppProtocol::kUnknown) {
      c.protocol_told = true;
      if (c.matcher) c.matcher->protocol_known(facts_of(c, info), carried, shared_, told);
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
  Connection* const c = known(info.number);
  if (c == nullptr) return;
  Told told(*this, *c, info);
  if (settings_.applications && !c->application.done()) c->application.end(application_settings_, now, told);
  for (const Direction d : {Direction::kToServer, Direction::kToClient}) fin(*c, info, d, now);
}

std::unique_ptr<Inspection::Connection> Inspection::take(std::uint64_t number) {
  if (known(number) == nullptr) return nullptr;
  const auto found = connections_.find(number);
  auto c = found->release();
  connections_.erase(found);
  if (c->hot) hot_.erase(c->place);
  if (c->matcher && c->matcher->limited()) ++limited_connections_;
  return c;
}

void Inspection::on_fin(const ConnectionInfo& info, Direction d, TimeNs now) {
  if (Connection* c = known(info.number)) fin(*c, info, d, now);
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

void Inspection::on_gone(std::uint64_t number) {
  take(number);
  next_.on_gone(number);
}

void Inspection::on_handshake(const ConnectionInfo& info, Handshake what, TimeNs now) { next_.on_handshake(info, what, now); }
void Inspection::on_ack(const ConnectionInfo& info, Direction d, std::uint64_t offset, TimeNs now) { next_.on_ack(info, d, offset, now); }
void Inspection::on_reset(const ConnectionInfo& info, Direction d, TimeNs now) { next_.on_reset(info, d, now); }
void Inspection::on_anomaly(const AnomalyRecord& record) { next_.on_anomaly(record); }
void Inspection::on_mptcp_use(const ConnectionInfo& info, const inspect::MptcpUse& use) { next_.on_mptcp_use(info, use); }
void Inspection::on_dns_datagram(const DnsDatagram& datagram) { next_.on_dns_datagram(datagram); }
void Inspection::on_mapped(const ConnectionInfo& info, const MappedArrival& arrival) { next_.on_mapped(info, arrival); }
void Inspection::on_option(const ConnectionInfo& info, const OptionSeen& option) { next_.on_option(info, option); }

}  // namespace weir::engine
