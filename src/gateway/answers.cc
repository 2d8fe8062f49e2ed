#include "gateway/answers.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace weir::gateway {
namespace {

Answer done() {
  Answer answer;
  report::JsonWriter(answer.body).begin_object().field("done", true).end_object();
  return answer;
}

}  // namespace

Answer Answers::operator()(const Command& command) {
  using What = Command::What;
  switch (command.what) {
    case What::kList:
      return list(command);
    case What::kConnection:
      return connection(command.connection);
    case What::kCutConnection:
      return cut(command.connection, std::nullopt);
    case What::kCutSubflow:
      return cut(command.connection, command.subflow);
    case What::kReload:
      return reload();
    case What::kStatus:
      return {.status = 200, .body = sources_.status()};
    case What::kDrain:
    case What::kTakeIn:
      sources_.drain(command.what == What::kDrain);
      return done();
  }
  return refusal(404, "there is no such path");
}

/// One more than is wanted says that there is a next page.
Answer Answers::list(const Command& command) {
  std::vector<Listed> page;
  std::size_t page_bytes = 0;
  for (std::uint64_t after = command.connection; page.size() <= command.most && page_bytes <= kPageBytes; after = page.back().connection) {
    const std::size_t wanted = std::min(kAtOnce, command.most + 1 - page.size());
    std::vector<Listed> some;
    sources_.ask_all([&](Worker& worker) { worker.core().list(some, after, wanted); });
    if (some.empty()) break;
    std::ranges::sort(some, {}, &Listed::connection);
    some.resize(std::min(some.size(), wanted));
    for (Listed& one : some) {
      page_bytes += one.json.size();
      page.push_back(std::move(one));
    }
  }
  // Too many octets: so that there is a next page, the last one goes there.
  const std::size_t most = page_bytes > kPageBytes ? std::max<std::size_t>(std::min<std::size_t>(page.size() - 1, command.most), 1) : command.most;
  Answer answer;
  report::JsonWriter json(answer.body);
  json.begin_object().key("connections").begin_array();
  const std::uint64_t more = append_list(json, std::move(page), most);
  json.end_array().key("after");
  more != 0 ? json.value(more) : json.null();
  json.end_object();
  return answer;
}

Answer Answers::connection(std::uint64_t number) {
  std::vector<Listed> found;
  sources_.ask_all([&](Worker& worker) { worker.core().list(found, number - 1, 1); });
  for (Listed& one : found) {
    if (one.connection == number) return {.status = 200, .body = std::move(one.json)};
  }
  return refusal(404, "there is no such connection");
}

Answer Answers::reload() {
  const auto reloaded = sources_.reload();
  if (reloaded) return done();
  Answer answer{.status = 422, .body = {}};
  report::JsonWriter json(answer.body);
  json.begin_object().field("error", "what is configured now cannot be taken over; what ran goes on").key("problems").begin_array();
  for (const std::string& line : reloaded.error().said) json.value(line);
  json.end_array();
  if (reloaded.error().left_out > 0) json.field("left_out", reloaded.error().left_out);
  json.end_object();
  return answer;
}

Answer Answers::cut(std::uint64_t number, std::optional<std::uint32_t> subflow) {
  bool cut = false;
  sources_.ask_all([&](Worker& worker) { cut = worker.core().cut(number, subflow, sources_.wall_clock()) || cut; });
  return cut ? done() : refusal(404, "there is no such connection or subflow");
}

}  // namespace weir::gateway
