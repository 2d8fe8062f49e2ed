#include "gateway/control.h"

#include <algorithm>
#include <charconv>

namespace weir::gateway {
namespace {

constexpr std::string_view kConnections = "/api/v1/connections";

template <typename Number>
bool take_number(std::string_view& text, Number& into) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), into);
  if (code != std::errc() || end == text.data()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take_text(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

/// "/ID/cut", "/ID/subflows/N/cut"
std::optional<Command> cut_of(std::string_view rest) {
  Command command{.what = Command::What::kCutConnection};
  if (!take_text(rest, "/") || !take_number(rest, command.connection) || command.connection == 0) return std::nullopt;
  if (take_text(rest, "/subflows/")) {
    command.what = Command::What::kCutSubflow;
    if (!take_number(rest, command.subflow)) return std::nullopt;
  }
  return rest == "/cut" ? std::optional(command) : std::nullopt;
}

std::string_view name_of(engine::SubflowState state) {
  switch (state) {
    case engine::SubflowState::kAttempted:
      return "attempted";
    case engine::SubflowState::kEstablished:
      return "established";
    case engine::SubflowState::kClosed:
      return "closed";
    case engine::SubflowState::kReset:
      return "reset";
    case engine::SubflowState::kFailed:
      return "failed";
  }
  return "";
}

void append_subflow(report::JsonWriter& json, const engine::SubflowRecord& f) {
  json.begin_object()
      .field("id", f.id)
      .field("client", to_string(f.endpoints.src))
      .field("client_port", f.endpoints.src_port)
      .field("server", to_string(f.endpoints.dst))
      .field("server_port", f.endpoints.dst_port)
      .field("state", name_of(f.state))
      .field("opened_by", f.opened_by_server ? "server" : "client")
      .field("backup", f.backup)
      .field("bytes_toserver", f.bytes[0])
      .field("bytes_toclient", f.bytes[1])
      .end_object();
}

}  // namespace

Answer refusal(unsigned status, std::string_view why) {
  Answer answer{.status = status, .body = {}};
  report::JsonWriter(answer.body).begin_object().field("error", why).end_object();
  return answer;
}

std::expected<Command, Answer> parse_command(std::string_view method, std::string_view target) {
  std::string_view path = target.substr(0, target.find('?'));
  std::string_view query = target.substr(path.size());
  std::optional<Command> command;
  bool reads = false;
  if (path == kConnections) {
    command = Command{};
    reads = true;
    if (!query.empty() && (!take_text(query, "?after=") || !take_number(query, command->connection) || !query.empty()))
      return std::unexpected(refusal(400, "only after=NUMBER may be asked with"));
  } else if (path == "/api/v1/reload") {
    command = Command{.what = Command::What::kReload};
  } else if (take_text(path, kConnections)) {
    command = cut_of(path);
  }
  if (!command) return std::unexpected(refusal(404, "there is no such path"));
  if (method != (reads ? "GET" : "POST")) return std::unexpected(refusal(405, reads ? "only GET" : "only POST"));
  return *command;
}

std::uint64_t append_list(report::JsonWriter& json, std::vector<Listed> all, std::size_t most) {
  std::ranges::sort(all, {}, &Listed::connection);
  const bool more = all.size() > most;
  if (more) all.resize(most);
  for (const Listed& one : all) json.raw(one.json);
  return more ? all.back().connection : 0;
}

void append_overview(report::JsonWriter& json, const engine::ConnectionOverview& o, std::string_view action, std::string_view rule) {
  const engine::ConnectionRecord& r = o.record;
  json.begin_object().field("id", r.info.number).field("action", action).field("rule", rule);
  if (r.version) json.field("version", *r.version);
  json.field("blocked", o.blocked[0] || o.blocked[1])
      .field("resumed", o.resumed)
      .field("waiting_bytes", o.waiting_bytes)
      .field("bytes_toserver", r.bytes[0])
      .field("bytes_toclient", r.bytes[1])
      .key("subflows")
      .begin_array();
  for (const engine::SubflowRecord& f : r.subflows) append_subflow(json, f);
  json.end_array().end_object();
}

}  // namespace weir::gateway
