#include "host.h"

#include <algorithm>
#include <stdexcept>

#include "data_checksum.h"
#include "secrets.h"

namespace weir::simulate {
namespace {

namespace mptcp = wire::mptcp;

constexpr TimeNs kFinRepeat = 250 * kMillisecond;
constexpr TimeNs kProbeRepeat = 300 * kMillisecond;
constexpr TimeNs kAnnounceRepeat = 400 * kMillisecond;
constexpr int kAnnounceTries = 4;
/// Nothing shorter is mapped while more waits to be sent (RFC 9293 §3.8.6.2.1: silly windows).
constexpr std::uint64_t kWorthSending = 200;
/// A REMOVE_ADDR names one address; the option holds a view of its number.
constexpr auto kIds = [] {
  std::array<std::byte, 256> ids{};
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::byte>(i);
  return ids;
}();

}  // namespace

Host::Host(World& world, Side side)
    : world_(world),
      side_(side),
      parameters_(world.scenario.hosts[index(side)]),
      next_port_(static_cast<std::uint16_t>(world.random.between(33'000, 60'000))),
      fin_timer_(world.events, [this] { send_data_fin(); }),
      probe_timer_(world.events, [this] { ask_for_window(); }),
      write_timer_(world.events, [this] { write_more(); }),
      read_timer_(world.events, [this] { read_some(); }),
      announce_timer_(world.events, [this] { repeat_announcements(); }) {
  const Derived mine = derive(version(), key());
  token_ = mine.token;
  idsn_ = mine.idsn;
  fin_goes_alone_ = world.random.chance(parameters_.data_fin_alone);
}

// --- subflows --------------------------------------------------------------------------------------------------------

Subflow& Host::add(const Subflow::Place& place) { return *subflows_.emplace_back(std::make_unique<Subflow>(*this, world_, place)); }

Subflow* Host::find(const Segment& s) const {
  for (const auto& subflow : subflows_) {
    if (subflow->place().local == s.dst && subflow->place().remote == s.src) return subflow.get();
  }
  return nullptr;
}

void Host::connect() {
  const auto& addresses = world_.scenario.addresses[0];
  add({.path = 0, .local = {addresses[0], next_port_++}, .remote = {addresses[1], world_.scenario.server_port}, .opened_here = true}).open();
}

void Host::receive(const Segment& s, std::size_t path) {
  if (s.damaged) return;
  if (Subflow* subflow = find(s)) {
    subflow->receive(s);
    return;
  }
  if (!s.flags.syn() || s.flags.ack()) return;
  const auto* join = s.find<mptcp::MpJoinSyn>();
  if (join && join->token != token_) throw std::logic_error("simulator: a JOIN with a wrong token");
  const auto& mine = world_.scenario.addresses;
  std::uint8_t id = 0;  // the initial address, on whatever path
  if (!(mine[path][index(side_)] == mine[0][index(side_)])) id = static_cast<std::uint8_t>(path);
  add({.path = path, .local = s.dst, .remote = s.src, .address_id = id, .join = join != nullptr, .backup = join && join->backup}).accept(s);
}

void Host::learn_peer_key(std::uint64_t key) {
  const Derived peer = derive(version(), key);
  peer_key_ = key;
  peer_token_ = peer.token;
  peer_idsn_ = peer.idsn;
}

void Host::on_established(Subflow& subflow) {
  const auto& place = subflow.place();
  if (!place.join) {
    if (side_ == Side::kServer) on_fully_established();
    write_more();
    if (parameters_.read_pause_ns > 0) read_timer_.set(parameters_.read_pause_ns);
    return;
  }
  if (!place.opened_here) {
    subflow.acknowledge();  // the fourth ACK (RFC 8684 §3.2)
    pump();
    return;
  }
  // In v0 an address is offered on a subflow that uses it: an offer of one that nobody uses would be a finding.
  if (parameters_.announces && version() == 0 && place.address_id != 0) announce(subflow, place.path);
  if (--world_.joins_left == 0) world_.on_all_joined();
  pump();
}

void Host::on_fully_established() {
  if (fully_established_) return;
  fully_established_ = true;
  if (parameters_.announces && version() == 1) {
    for (std::size_t path = 1; path < world_.scenario.paths.size(); ++path) {
      if (!(world_.scenario.addresses[path][index(side_)] == world_.scenario.addresses[0][index(side_)])) announce(*subflows_.front(), path);
    }
  }
  open_joins();
  for (const auto& subflow : subflows_) subflow->push();
  if (world_.joins_left == 0) on_all_joined();
}

void Host::open_joins() {
  for (const JoinPlan& plan : world_.scenario.joins) {
    if (plan.opener == side_) world_.events.after(plan.after_ns, [this, &plan] { open_join(plan); });
  }
}

void Host::open_join(const JoinPlan& plan) {
  const auto& mine = world_.scenario.addresses;
  const IpAddress local = mine[plan.path][index(side_)];
  const auto id = static_cast<std::uint8_t>(local == mine[0][index(side_)] ? 0 : plan.path);
  add({.path = plan.path,
       .local = {local, next_port_++},
       .remote = listener_on(plan.path),
       .address_id = id,
       .join = true,
       .opened_here = true,
       .backup = plan.backup})
      .open();
}

/// Where the peer takes JOINs on a path: the server at its port; the client at that of its first subflow, as its NAT shows it.
Endpoint Host::listener_on(std::size_t path) const {
  if (side_ == Side::kClient) return {world_.scenario.addresses[path][1], world_.scenario.server_port};
  const auto& nat = world_.scenario.paths[path].nat;
  const auto& first_nat = world_.scenario.paths[0].nat;
  const std::uint16_t seen = subflows_.front()->place().remote.port;
  const auto inside = static_cast<std::uint16_t>(seen ^ (first_nat ? first_nat->port_shift : 0));
  if (!nat) return {world_.scenario.addresses[path][0], inside};
  return {nat->outside, static_cast<std::uint16_t>(inside ^ nat->port_shift)};
}

void Host::on_lost(Subflow& subflow) {
  reinject(subflow);
  pump();
}

void Host::on_time_out(Subflow& subflow) {
  if (world_.random.chance(parameters_.reinject)) reinject(subflow);
  pump();
}

void Host::reinject(Subflow& subflow) {
  for (SentMapping& mapping : subflow.sender().mappings()) {
    if (mapping.offset + mapping.length <= una_ || (mapping.reinjected && subflow.state() != Subflow::State::kReset)) continue;
    mapping.reinjected = true;
    again_.push_back({std::max(mapping.offset, una_), mapping.offset + mapping.length, &subflow});
  }
}

void Host::on_all_joined() {
  for (const Departure& plan : world_.scenario.departures) {
    if (plan.by == side_) world_.events.after(plan.after_ns, [this, &plan] { depart(plan); });
  }
  for (const PriorityChange& plan : world_.scenario.priorities) {
    if (plan.by == side_) world_.events.after(plan.after_ns, [this, &plan] { change_priority(plan); });
  }
  consider_closing();
}

void Host::depart(const Departure& plan) {
  std::vector<Subflow*> usable;
  for (const auto& subflow : subflows_) {
    if (subflow->usable()) usable.push_back(subflow.get());
  }
  if (usable.size() < 2) return;
  Subflow* leaving = usable[plan.subflow % usable.size()];
  const std::uint8_t id = leaving->place().address_id;
  const auto stays = std::find_if(usable.begin(), usable.end(), [&](const Subflow* s) { return s != leaving && s->place().address_id != id; });
  std::vector<Subflow*> all{leaving};
  if (plan.removes_address && id != 0 && stays != usable.end()) {
    (*stays)->send_control({mptcp::RemoveAddr{std::span(kIds).subspan(id, 1)}});
    all.clear();
    std::copy_if(usable.begin(), usable.end(), std::back_inserter(all), [id](const Subflow* s) { return s->place().address_id == id; });
  }
  for (Subflow* subflow : all) {
    if (plan.reset) {
      subflow->abort();
    } else {
      subflow->finish();
    }
  }
}

void Host::change_priority(const PriorityChange& plan) {
  Subflow* subflow = choose(nullptr);
  if (subflow) subflow->send_control({mptcp::MpPrio{.backup = plan.backup, .address_id = std::nullopt}});
}

// --- addresses -------------------------------------------------------------------------------------------------------

void Host::announce(const Subflow& on, std::size_t path) {
  Announcement announcement;
  mptcp::AddAddr& option = announcement.option;
  option.version = static_cast<std::uint8_t>(version());
  option.address_id = static_cast<std::uint8_t>(path);
  option.address = version() == 0 ? on.place().local.address : world_.scenario.addresses[path][index(side_)];
  // With timestamps an IPv6 address and a port do not fit.
  if (option.address.is_v4() && side_ == Side::kServer && path % 2 == 1) option.port = world_.scenario.server_port;
  if (version() == 1) option.hmac = sign_address(key(), peer_key_, option.address_id, option.address, option.port.value_or(0));
  announcements_.push_back(announcement);
  repeat_announcements();
}

void Host::repeat_announcements() {
  for (Announcement& announcement : announcements_) {
    if (announcement.tries++ >= kAnnounceTries) continue;
    // v0 has no echo; the address is that of the subflow which carries the option.
    for (const auto& subflow : subflows_) {
      if (!subflow->usable() || (version() == 0 && !(subflow->place().local.address == announcement.option.address))) continue;
      subflow->send_control({announcement.option});
      break;
    }
    if (version() == 0) announcement.tries = kAnnounceTries;
  }
  std::erase_if(announcements_, [](const Announcement& a) { return a.tries >= kAnnounceTries; });
  if (!announcements_.empty()) announce_timer_.set(kAnnounceRepeat);
}

void Host::on_add_addr(Subflow& subflow, const mptcp::AddAddr& option) {
  if (option.version == 0) return;
  if (option.echo) {
    std::erase_if(announcements_, [&](const Announcement& a) { return a.option.address_id == option.address_id; });
    return;
  }
  if (option.hmac != sign_address(peer_key_, key(), option.address_id, option.address, option.port.value_or(0)))
    throw std::logic_error("simulator: wrong HMAC in an ADD_ADDR");
  mptcp::AddAddr echo = option;
  echo.echo = true;
  echo.hmac.reset();
  subflow.send_control({echo});
}

// --- sending ---------------------------------------------------------------------------------------------------------

void Host::write_more() {
  const std::uint64_t size = parameters_.stream.size();
  written_ = std::min<std::uint64_t>(size, written_ + parameters_.write_octets);
  if (parameters_.write_pause_ns == 0) written_ = size;
  if (written_ < size) write_timer_.set(parameters_.write_pause_ns);
  consider_closing();
  pump();
}

Subflow* Host::choose(const Subflow* not_this) {
  std::vector<Subflow*> able, spare;
  for (const auto& subflow : subflows_) {
    if (!subflow->usable() || subflow.get() == not_this || subflow->room() == 0) continue;
    (subflow->place().backup ? spare : able).push_back(subflow.get());
  }
  if (able.empty()) able = spare;
  if (able.empty()) return nullptr;
  switch (world_.scenario.hosts[index(side_)].scheduler) {
    case Scheduler::kLowestFirst:
      return able.front();
    case Scheduler::kRoundRobin:
      return able[turn_++ % able.size()];
    case Scheduler::kRandom:
      break;
  }
  return able[world_.random.below(able.size())];
}

// Data that went on another subflow before: cut anew, so that mappings overlap in every way.
bool Host::schedule_again() {
  while (!again_.empty()) {
    Range& range = again_.front();
    range.begin = std::max(range.begin, una_);
    if (range.begin >= range.end) {
      again_.pop_front();
      continue;
    }
    Subflow* subflow = choose(range.origin);
    if (!subflow) {
      const bool others = std::any_of(subflows_.begin(), subflows_.end(), [&](const auto& s) { return s.get() != range.origin && s->usable(); });
      if (others || !range.origin) return false;
      again_.pop_front();  // its own subflow still has it
      continue;
    }
    const std::uint64_t wish = world_.random.between(parameters_.shortest_mapping, parameters_.longest_mapping);
    const auto length = static_cast<std::uint32_t>(std::min({std::max(wish, kWorthSending), range.end - range.begin, subflow->room()}));
    const std::uint64_t begin = range.begin;
    range.begin += length;
    subflow->map(begin, length);
    return true;
  }
  return false;
}

bool Host::schedule_new() {
  if (next_ >= written_ || next_ >= right_edge_) return false;
  Subflow* subflow = choose(nullptr);
  if (!subflow) return false;
  const std::uint64_t possible = std::min({written_ - next_, right_edge_ - next_, subflow->room()});
  const bool in_flight = std::any_of(subflows_.begin(), subflows_.end(), [](const auto& s) { return s->outstanding(); });
  if (possible < std::min(kWorthSending, written_ - next_) && in_flight) return false;
  const std::uint64_t wish = world_.random.between(parameters_.shortest_mapping, parameters_.longest_mapping);
  const auto length = static_cast<std::uint32_t>(std::min(wish, possible));
  const std::uint64_t begin = next_;
  next_ += length;
  if (world_.random.chance(parameters_.redundant)) again_.push_back({begin, next_, subflow});
  subflow->map(begin, length);
  return true;
}

void Host::pump() {
  if (subflows_.empty() || peer_key_ == 0) return;
  while (schedule_again() || schedule_new()) {
  }
  if (closed_ && next_ == parameters_.stream.size() && !fin_timer_.running() && una_ <= next_) {
    // The last mapping told it, if it was still to be sent; it is told again until it is acknowledged.
    if (fin_goes_alone_ || next_ == 0) {
      send_data_fin();
    } else {
      fin_timer_.set(kFinRepeat);
    }
  }
  if ((next_ < written_ || !again_.empty()) && !probe_timer_.running()) probe_timer_.set(kProbeRepeat);
}

void Host::ask_for_window() {
  const bool in_flight = std::any_of(subflows_.begin(), subflows_.end(), [](const auto& s) { return s->outstanding(); });
  if (!in_flight) {
    for (const auto& subflow : subflows_) {
      if (subflow->established()) subflow->probe();
    }
  }
  pump();
}

mptcp::Dss::Mapping Host::describe(const SentMapping& mapping, bool& data_fin) {
  data_fin = closed_ && !fin_goes_alone_ && mapping.offset + mapping.length == parameters_.stream.size();
  mptcp::Dss::Mapping told;
  told.wide = world_.random.chance(parameters_.wide_dsn);
  told.dsn = idsn_ + 1 + mapping.offset;
  told.ssn = static_cast<std::uint32_t>(mapping.position);
  told.length = static_cast<std::uint16_t>(mapping.length + (data_fin ? 1 : 0));
  if (world_.scenario.uses_checksum()) told.checksum = data_checksum(told.dsn, told.ssn, told.length, mapping.data_sum);
  if (!told.wide) told.dsn &= 0xffff'ffffU;
  return told;
}

mptcp::Dss::Mapping Host::describe_data_fin() {
  bool data_fin = false;  // the option says it; this mapping is nothing but the DATA_FIN
  return describe({.position = 0, .offset = parameters_.stream.size(), .length = 1}, data_fin);
}

void Host::on_data_ack(const mptcp::Dss::DataAck& ack, std::uint32_t window) {
  const std::uint64_t first = idsn_ + 1;
  std::uint64_t value = ack.value;
  if (!ack.wide) value = extend(static_cast<std::uint32_t>(ack.value), DataSeq{first + una_}).value;
  const std::uint64_t offset = value - first;
  if (offset > parameters_.stream.size() + 1) return;  // one that is older than the stream, or wrong
  una_ = std::max(una_, offset);
  right_edge_ = std::max(right_edge_, offset + window);
  if (una_ > parameters_.stream.size()) {
    fin_timer_.stop();
    close_if_done();
  }
}

// --- receiving -------------------------------------------------------------------------------------------------------

mptcp::Dss::DataAck Host::data_ack() {
  const std::uint64_t value = peer_idsn_ + 1 + received_.size() + (peer_closed_ ? 1 : 0);
  if (world_.random.chance(parameters_.wide_ack)) return {value, true};
  return {value & 0xffff'ffffU, false};
}

std::uint32_t Host::window() const { return parameters_.receive_buffer - static_cast<std::uint32_t>(received_.size() - read_); }

std::uint64_t Host::widen(std::uint64_t dsn, bool wide) const {
  return wide ? dsn : extend(static_cast<std::uint32_t>(dsn), DataSeq{peer_idsn_ + 1 + received_.size()}).value;
}

void Host::on_pieces(std::span<const MappedPiece> pieces) {
  for (const MappedPiece& piece : pieces) {
    const auto offset = static_cast<std::int64_t>(piece.dsn - (peer_idsn_ + 1));
    if (offset < 0) throw std::logic_error("simulator: data before the stream");
    auto& place = waiting_[static_cast<std::uint64_t>(offset)];
    if (piece.bytes.size() > place.size()) place = piece.bytes;
  }
  while (!waiting_.empty() && waiting_.begin()->first <= received_.size()) {
    const auto& [offset, bytes] = *waiting_.begin();
    const std::size_t known = received_.size() - offset;
    if (known < bytes.size()) received_.insert(received_.end(), bytes.begin() + static_cast<std::ptrdiff_t>(known), bytes.end());
    waiting_.erase(waiting_.begin());
  }
  if (parameters_.read_pause_ns == 0) read_ = received_.size();
  if (received_.size() == peer_fin_) peer_closed_ = true;
  if (received_.size() > peer_fin_) throw std::logic_error("simulator: data after the DATA_FIN");
}

void Host::read_some() {
  const std::uint32_t before = window();
  const std::uint64_t unread = received_.size() - read_;
  if (unread > 0) read_ += world_.random.between(1, unread);
  if (peer_closed_) read_ = received_.size();
  if (before < parameters_.receive_buffer / 4 && window() >= parameters_.receive_buffer / 4) {
    for (const auto& subflow : subflows_) {
      if (subflow->usable()) subflow->acknowledge();
    }
  }
  if (!finished()) read_timer_.set(parameters_.read_pause_ns);
}

void Host::on_data_fin(std::uint64_t dsn) {
  peer_fin_ = dsn - (peer_idsn_ + 1);
  if (received_.size() == peer_fin_) peer_closed_ = true;
  close_if_done();
}

// --- closing ---------------------------------------------------------------------------------------------------------

void Host::consider_closing() {
  if (closed_ || written_ < parameters_.stream.size() || !fully_established_ || world_.joins_left > 0) return;
  closed_ = true;
  pump();
}

void Host::send_data_fin() {
  std::vector<Subflow*> able;
  for (const auto& subflow : subflows_) {
    if (subflow->established() && !subflow->sender().finishing()) able.push_back(subflow.get());
  }
  if (!able.empty()) able[world_.random.below(able.size())]->send_data_fin();
  fin_timer_.set(kFinRepeat);
}

void Host::close_if_done() {
  if (!peer_closed_ || una_ <= parameters_.stream.size()) return;
  for (const auto& subflow : subflows_) {
    if (!subflow->sender().finishing()) subflow->finish();
  }
}

bool Host::finished() const {
  return !subflows_.empty() && peer_closed_ && una_ > parameters_.stream.size() &&
         std::all_of(subflows_.begin(), subflows_.end(), [](const auto& s) { return s->done(); });
}

}  // namespace weir::simulate
