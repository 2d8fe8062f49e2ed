#include "report/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <variant>

#include "inspect/anomaly.h"
#include "report/explain.h"
#include "report/names.h"
#include "report/table.h"

namespace weir::report {
namespace {

using engine::ConnectionState;
using engine::Direction;

constexpr std::size_t kUp = index(Direction::kToServer), kDown = index(Direction::kToClient);

std::string end_text(const IpAddress& address, std::uint16_t port) {
  return address.is_v4() ? fmt::format("{}:{}", to_string(address), port) : fmt::format("[{}]:{}", to_string(address), port);
}

/// Whole percents, and never 100 for less than all.
std::string percent(double share) { return fmt::format("{}%", static_cast<int>(std::floor(std::clamp(share, 0.0, 1.0) * 100))); }

void append(std::string& list, std::string_view item) {
  if (!list.empty()) list += ", ";
  list += item;
}

std::string event_list(std::uint32_t events) {
  std::string list;
  for (std::size_t i = 0; i < static_cast<std::size_t>(inspect::Event::kCount); ++i)
    if (events >> i & 1U) append(list, inspect::event_name(static_cast<inspect::Event>(i)));
  return list;
}

std::string detail_text(const inspect::Detail& detail) {
  std::string list;
  for (const auto& [name, value] : detail) append(list, std::visit([&](const auto& known) { return fmt::format("{} {}", name, known); }, value));
  // Foreign bytes must not steer a terminal.
  std::ranges::replace_if(list, [](char c) { return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f; }, '?');
  return list;
}

/// Where in the network it happens, in a sentence; empty where that is not known.
std::string place_text(const engine::AnomalyRecord& record, const PointNames& points) {
  if (!record.between) return {};
  std::string option = "an option", direction;
  for (const auto& [name, value] : record.detail) {
    if (const auto* text = std::get_if<std::string>(&value)) {
      if (std::string_view(name) == "option") option = *text;
      if (std::string_view(name) == "direction") direction = *text == "to_server" ? " on the way to the server" : " on the way to the client";
    }
  }
  std::string text = fmt::format("{} is taken out between {} and {}{}.", option, points(record.between->first), points(record.between->second), direction);
  std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7f; }, '?');
  return text;
}

/// What the client called the server; each name once.
std::string names_text(const std::vector<engine::ServerName>& names) {
  std::string list;
  std::vector<std::string_view> told;
  for (const auto& each : names) {
    if (std::ranges::find(told, each.name) != told.end()) continue;
    told.push_back(each.name);
    append(list, each.name);
  }
  // Foreign bytes must not steer a terminal.
  std::ranges::replace_if(list, [](char c) { return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f; }, '?');
  return list;
}

double by_size(std::uint64_t bytes) { return std::log2(static_cast<double>(bytes) + 1); }

std::string noted_text(std::uint32_t alerts, std::uint32_t events) {
  std::string text = alerts ? fmt::format("{} alert{}", alerts, alerts == 1 ? "" : "s") : "";
  if (const std::string names = event_list(events); !names.empty()) append(text, names);
  return text;
}

}  // namespace

Summary::Noted Summary::take_notes(std::uint64_t number) {
  const auto found = noted_.find(number);
  if (found == noted_.end()) return {};
  const Noted notes = found->second;
  noted_.erase(found);
  return notes;
}

void Summary::keep(Line line) {
  static constexpr auto kMore = [](const Line& a, const Line& b) { return a.interest > b.interest; };
  if (lines_.size() == kConnections) {
    std::ranges::pop_heap(lines_, kMore);
    lines_.back() = std::move(line);
    std::ranges::push_heap(lines_, kMore);
    return;
  }
  lines_.push_back(std::move(line));
  if (lines_.size() == kConnections) std::ranges::make_heap(lines_, kMore);
}

void Summary::on_connection(const engine::ConnectionRecord& record) {
  ++connections_;
  ++states_[static_cast<std::size_t>(record.state)];
  subflows_ += record.subflows.size();
  duplicate_bytes_ += record.duplicate_bytes;
  for (const std::size_t way : {kUp, kDown}) {
    bytes_[way] += record.bytes[way];
    gap_bytes_[way] += record.gap_bytes[way];
  }
  const Noted notes = take_notes(record.info.number);
  const double interest = (notes.alerts ? 5000 : 0) + (notes.count ? 1000 + 100 * std::popcount(notes.events) : 0) + (1 - record.visibility) * 500 +
                          10.0 * static_cast<double>(record.subflows.size()) + by_size(record.bytes[kUp] + record.bytes[kDown]);
  if (!wanted(interest)) return;

  Line line;
  line.interest = interest;
  line.first_ns = record.info.first_ns;
  line.id = record.info.id;
  line.version = record.version ? fmt::format("v{}", *record.version) : "?";
  line.state = name_of(record.state);
  line.endpoints = record.info.endpoints;
  std::ranges::copy(record.bytes, line.bytes);
  line.visibility = record.visibility;
  line.notable = names_text(record.names);
  if (const std::string noted = noted_text(notes.alerts, notes.events); !noted.empty()) append(line.notable, noted);
  if (record.fallback_reason != engine::FallbackReason::kNone) append(line.notable, name_of(record.fallback_reason));
  if (record.midstream) append(line.notable, "seen from its middle");
  if (const auto gaps = record.gap_bytes[kUp] + record.gap_bytes[kDown]) append(line.notable, fmt::format("{} bytes not seen", grouped(gaps)));
  if (record.duplicate_bytes) append(line.notable, fmt::format("{} bytes sent twice", grouped(record.duplicate_bytes)));
  line.subflow_count = record.subflows.size();
  const auto listed = std::min(record.subflows.size(), kSubflows);
  line.subflows.assign(record.subflows.begin(), record.subflows.begin() + static_cast<std::ptrdiff_t>(listed));
  keep(std::move(line));
}

void Summary::on_flow(const engine::FlowRecord& record) {
  ++flows_;
  ++states_[static_cast<std::size_t>(record.state)];
  for (const std::size_t way : {kUp, kDown}) {
    bytes_[way] += record.bytes[way];
    gap_bytes_[way] += record.gap_bytes[way];
  }
  const Noted notes = take_notes(record.info.number);
  const double interest = (notes.alerts ? 5000 : 0) + (notes.count ? 1000 : 0) + by_size(record.bytes[kUp] + record.bytes[kDown]);
  if (!wanted(interest)) return;
  Line line;
  line.interest = interest;
  line.first_ns = record.info.first_ns;
  line.id = record.info.id;
  line.version = "TCP";
  line.state = name_of(record.state);
  line.endpoints = record.info.endpoints;
  std::ranges::copy(record.bytes, line.bytes);
  const auto gaps = record.gap_bytes[kUp] + record.gap_bytes[kDown];
  const auto all = record.bytes[kUp] + record.bytes[kDown] + gaps;
  line.visibility = all ? 1 - static_cast<double>(gaps) / static_cast<double>(all) : 1;
  line.notable = names_text(record.names);
  if (const std::string noted = noted_text(notes.alerts, notes.events); !noted.empty()) append(line.notable, noted);
  if (record.midstream) append(line.notable, "seen from its middle");
  if (gaps) append(line.notable, fmt::format("{} bytes not seen", grouped(gaps)));
  keep(std::move(line));
}

void Summary::on_anomaly(const engine::AnomalyRecord& record) {
  if (events_.size() < kEventNames || events_.contains(record.event)) {
    Seen& seen = events_[record.event];
    if (++seen.count == 1) {
      if (record.connection) seen.first_id = record.connection->id;
      seen.first_detail = detail_text(record.detail);
      seen.first_place = place_text(record, points_);
    }
  }
  if (!record.connection) return;
  if (noted_.size() >= kNoted && !noted_.contains(record.connection->number)) return;
  Noted& notes = noted_[record.connection->number];
  ++notes.count;
  for (std::size_t i = 0; i < static_cast<std::size_t>(inspect::Event::kCount); ++i)
    if (inspect::event_name(static_cast<inspect::Event>(i)) == record.event) notes.events |= 1U << i;
}

void Summary::on_alert(const engine::AlertRecord& record) {
  if (const std::pair key(record.gid, record.signature_id); alerts_.size() < kSignatures || alerts_.contains(key)) {
    Alerted& alerted = alerts_[key];
    if (record.split) ++alerted.split;
    if (++alerted.count == 1) {
      alerted.message = record.signature;
      alerted.severity = record.severity;
      alerted.first_id = record.connection.id;
      alerted.first_subflows = fmt::format("{}", fmt::join(record.subflows, ", "));
      alerted.first_dsn = record.dsn_first;
      alerted.last_dsn = record.dsn_last;
      alerted.way = record.direction == engine::Direction::kToServer ? "to the server" : "to the client";
    }
  }
  if (noted_.size() >= kNoted && !noted_.contains(record.connection.number)) return;
  ++noted_[record.connection.number].alerts;
}

std::string Summary::alerts_text(const TextStyle& style) const {
  if (alerts_.empty()) return {};
  std::vector<std::pair<std::uint32_t, const Alerted*>> order;
  for (const auto& [key, alerted] : alerts_) order.emplace_back(key.second, &alerted);
  std::ranges::stable_sort(order, {}, [](const auto& each) { return each.second->severity; });
  std::string out = "\n" + style.bold("Alerts") + "\n";
  for (std::size_t i = 0; i < std::min(order.size(), kAlertLines); ++i) {
    const auto& [sid, a] = order[i];
    out += fmt::format("  {} {:>6}x  {}\n", style.alarm(fmt::format("{:<10}", sid)), grouped(a->count), a->message);
    const bool several = a->first_subflows.find(',') != std::string::npos;
    out += fmt::format("{:{}}{}\n", "", 6,
                       style.dim(fmt::format("first on {}, {}, bytes {} to {} of the stream, over subflow{} {}{}", a->first_id, a->way, grouped(a->first_dsn),
                                             grouped(a->last_dsn), several ? "s" : "", a->first_subflows, several ? " (split)" : "")));
  }
  if (order.size() > kAlertLines) out += fmt::format("  and {} more signatures\n", grouped(order.size() - kAlertLines));
  return out;
}

std::string Summary::connections_text(const TextStyle& style) const {
  const std::uint64_t all = connections_ + flows_;
  if (all == 0) return "No MPTCP connection in the input.\n";
  std::vector<const Line*> order;
  for (const Line& line : lines_) order.push_back(&line);
  std::string out;
  if (all <= kConnections) {
    std::ranges::stable_sort(order, {}, [](const Line* line) { return line->first_ns; });
  } else {
    std::ranges::stable_sort(order, std::greater{}, [](const Line* line) { return line->interest; });
    order.resize(kMostInteresting);
    out += style.bold(fmt::format("The {} most interesting of {} connections (the log has them all):", kMostInteresting, grouped(all))) + "\n";
  }

  Table table(
      {{"CONNECTION"}, {""}, {"CLIENT"}, {"SERVER"}, {"SUBFLOWS", true}, {"TO SERVER", true}, {"TO CLIENT", true}, {"STATE"}, {"SEEN", true}, {"NOTABLE"}});
  for (const Line* line : order) {
    const auto& ends = line->endpoints;
    table.row({line->id, line->version, end_text(ends.src, ends.src_port), end_text(ends.dst, ends.dst_port),
               line->version == "TCP" ? "" : grouped(line->subflow_count), grouped(line->bytes[kUp]), grouped(line->bytes[kDown]), line->state,
               percent(line->visibility), line->notable});
    for (const auto& subflow : line->subflows) {
      std::string remarks;
      if (subflow.opened_by_server) append(remarks, "opened by the server");
      if (subflow.backup) append(remarks, "backup");
      if (subflow.auth != engine::Auth::kVerified) append(remarks, name_of(subflow.auth));
      std::string points;
      for (const PointId point : subflow.points) append(points, points_(point));
      if (!points.empty()) append(remarks, "at " + points);
      table.row({fmt::format("  subflow {}", subflow.id), "", end_text(subflow.endpoints.src, subflow.endpoints.src_port),
                 end_text(subflow.endpoints.dst, subflow.endpoints.dst_port), "", grouped(subflow.bytes[kUp]), grouped(subflow.bytes[kDown]),
                 std::string(name_of(subflow.state)), "", remarks},
                true);
    }
    if (line->subflow_count > line->subflows.size() && !line->subflows.empty())
      table.row({fmt::format("  and {} more", line->subflow_count - line->subflows.size())}, true);
  }
  return out + table.text(style);
}

std::string Summary::anomalies_text(const TextStyle& style) const {
  if (events_.empty()) return {};
  std::size_t width = 0;
  for (const auto& [name, seen] : events_) width = std::max(width, name.size());
  std::vector<std::pair<std::string_view, const Seen*>> order;
  for (const auto& [name, seen] : events_) order.emplace_back(name, &seen);
  std::ranges::stable_sort(order, std::greater{}, [](const auto& each) { return each.second->count; });

  std::string out = "\n" + style.bold("Anomalies") + "\n";
  for (const auto& [name, seen] : order) {
    static constexpr std::size_t kIndent = 6;
    out += fmt::format("  {} {:>6}x", style.alarm(fmt::format("{:<{}}", name, width)), grouped(seen->count));
    if (!seen->first_id.empty()) out += fmt::format("  first on {}", seen->first_id);
    out += '\n';
    if (const auto sentence = explain_event(name); !sentence.empty()) out += fmt::format("{:{}}{}\n", "", kIndent, wrap(sentence, kIndent, style.width));
    if (!seen->first_place.empty()) out += fmt::format("{:{}}{}\n", "", kIndent, wrap(seen->first_place, kIndent, style.width));
    if (!seen->first_detail.empty()) out += fmt::format("{:{}}{}\n", "", kIndent, style.dim(wrap("(" + seen->first_detail + ")", kIndent, style.width)));
  }
  return out;
}

std::string Summary::totals_text(std::span<const NamedCounter> counters, const TextStyle& style) const {
  const auto counter = [&](std::string_view name) {
    const auto found = std::ranges::find(counters, name, &NamedCounter::first);
    return found == counters.end() ? std::uint64_t{0} : found->second;
  };
  const auto one_or_more = [](std::uint64_t count, std::string_view thing) { return fmt::format("{} {}{}", grouped(count), thing, count == 1 ? "" : "s"); };

  std::string out = "\n" + style.bold("Totals") + "\n";
  const auto line = [&](std::string_view name, const std::string& text) { out += fmt::format("  {:<14}{}\n", name, wrap(text, 16, style.width)); };
  line("read", fmt::format("{}, {}", one_or_more(counter("decode.packets"), "packet"), one_or_more(counter("decode.bytes"), "byte")));
  std::string states;
  for (const auto state : {ConnectionState::kClosed, ConnectionState::kReset, ConnectionState::kOpen, ConnectionState::kFallback, ConnectionState::kRefused})
    if (const auto count = states_[static_cast<std::size_t>(state)]) append(states, fmt::format("{} {}", grouped(count), name_of(state)));
  std::string connections = fmt::format("{} with MPTCP, {}", grouped(connections_), one_or_more(subflows_, "subflow"));
  if (flows_) append(connections, fmt::format("{} of plain TCP", grouped(flows_)));
  if (!states.empty()) connections += " (" + states + ")";
  line("connections", connections);
  std::string tries;
  if (const auto count = counter("mptcp.unanswered")) append(tries, fmt::format("{} that nobody answered", grouped(count)));
  if (const auto count = counter("mptcp.joins_orphaned")) append(tries, fmt::format("{} to join an unknown connection", grouped(count)));
  if (!tries.empty()) line("attempts", tries);
  line("rebuilt", fmt::format("{} to servers, {} to clients", one_or_more(bytes_[kUp], "byte"), one_or_more(bytes_[kDown], "byte")));
  if (const auto gaps = gap_bytes_[kUp] + gap_bytes_[kDown]) line("not seen", one_or_more(gaps, "byte"));
  if (duplicate_bytes_) line("sent twice", one_or_more(duplicate_bytes_, "byte"));

  std::string left_out;
  for (const auto& [name, count] : counters) {
    static constexpr std::string_view kKinds[] = {"ignored.", "dropped.", "evicted.", "uncompared.", "limited.", "rules.refused"};
    const bool told = std::ranges::any_of(kKinds, [&, which = name](std::string_view kind) { return which.starts_with(kind); }) || name == "decode.invalid" ||
                      name == "defrag.dropped";
    if (told && count) append(left_out, fmt::format("{} {}", name, grouped(count)));
  }
  if (!left_out.empty()) line("left out", left_out);
  return out;
}

std::string Summary::text(std::span<const NamedCounter> counters, const TextStyle& style) const {
  return connections_text(style) + alerts_text(style) + anomalies_text(style) + totals_text(counters, style);
}

}  // namespace weir::report
