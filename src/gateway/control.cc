#include "gateway/control.h"

#include <algorithm>
#include <charconv>
#include <utility>

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

/// What a path may be asked for, by method.
struct Path {
  std::optional<Command> get, post, remove;
};

/// "?after=ID&limit=N", each once at most, in any order.
bool read_query(std::string_view query, Command& command) {
  if (query.empty()) return true;
  bool after = false, limit = false;
  for (char before = '?'; !query.empty(); before = '&') {
    if (!take_text(query, {&before, 1})) return false;
    if (!after && take_text(query, "after=")) {
      after = true;
      if (!take_number(query, command.connection)) return false;
    } else if (!limit && take_text(query, "limit=")) {
      limit = true;
      if (!take_number(query, command.most) || command.most < 1 || command.most > Command::kMostListed) return false;
    } else {
      return false;
    }
  }
  return true;
}

/// "/ID", "/ID/cut", "/ID/subflows/N", "/ID/subflows/N/cut"
Path path_of_connection(std::string_view rest) {
  Command command{.what = Command::What::kConnection};
  if (!take_text(rest, "/") || !take_number(rest, command.connection) || command.connection == 0) return {};
  Path path{.get = command, .post = std::nullopt, .remove = command};
  path.remove->what = Command::What::kCutConnection;
  if (take_text(rest, "/subflows/")) {
    path.get.reset();
    path.remove->what = Command::What::kCutSubflow;
    if (!take_number(rest, path.remove->subflow)) return {};
  }
  if (rest.empty()) return path;
  return rest == "/cut" ? Path{.get = std::nullopt, .post = path.remove, .remove = std::nullopt} : Path{};
}

Path path_of(std::string_view path) {
  using What = Command::What;
  if (path == kConnections) return {.get = Command{}, .post = std::nullopt, .remove = std::nullopt};
  if (path == "/api/v1/status") return {.get = Command{.what = What::kStatus}, .post = std::nullopt, .remove = std::nullopt};
  if (path == "/api/v1/reload") return {.get = std::nullopt, .post = Command{.what = What::kReload}, .remove = std::nullopt};
  if (path == "/api/v1/drain") return {.get = std::nullopt, .post = Command{.what = What::kDrain}, .remove = Command{.what = What::kTakeIn}};
  return take_text(path, kConnections) ? path_of_connection(path) : Path{};
}

std::string methods(const Path& path) {
  std::string text;
  for (const auto& [name, there] : {std::pair{"GET", path.get.has_value()}, {"POST", path.post.has_value()}, {"DELETE", path.remove.has_value()}}) {
    if (there) text += std::string(text.empty() ? "only " : " and ") + name;
  }
  return text;
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
  const std::string_view name = target.substr(0, target.find('?'));
  const Path path = path_of(name);
  if (!path.get && !path.post && !path.remove) return std::unexpected(refusal(404, "there is no such path"));
  std::optional<Command> command;
  if (method == "GET") command = path.get;
  if (method == "POST") command = path.post;
  if (method == "DELETE") command = path.remove;
  if (!command) return std::unexpected(refusal(405, methods(path)));
  const std::string_view query = target.substr(name.size());
  if (command->what != Command::What::kList) {
    if (!query.empty()) return std::unexpected(refusal(400, "nothing may be asked with"));
  } else if (!read_query(query, *command)) {
    return std::unexpected(refusal(400, "only after=ID and limit=NUMBER (1 to 1000) may be asked with"));
  }
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
