#include "probe/targets/learnt_names.h"

#include <boost/json.hpp>

#include "probe/targets/target_text.h"

namespace weir::probe::targets {
namespace {

using boost::json::object;

const object* object_at(const object& in, std::string_view key) {
  const auto* const value = in.if_contains(boost::json::string_view(key.data(), key.size()));
  return value == nullptr ? nullptr : value->if_object();
}

std::string_view text_at(const object& in, std::string_view key) {
  const auto* const value = in.if_contains(boost::json::string_view(key.data(), key.size()));
  const auto* const text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

}  // namespace

std::size_t LearntNames::take(std::string_view lines) {
  std::size_t taken = 0;
  for (std::size_t end = lines.find('\n'); end != std::string_view::npos; end = lines.find('\n', taken)) {
    take_line(lines.substr(taken, end - taken));
    taken = end + 1;
  }
  return taken;
}

void LearntNames::add(std::string_view name) {
  const auto target = parse_target(name);
  if (!target || target->prefix || target->name.find('.') == std::string::npos) return;
  if (names_.size() >= kMost && !names_.contains(target->name)) {
    ++left_out_;
    return;
  }
  names_.insert(target->name);
}

void LearntNames::take_line(std::string_view line) {
  boost::system::error_code error;
  const auto value = boost::json::parse(boost::json::string_view(line.data(), line.size()), error);
  const object* const record = error ? nullptr : value.if_object();
  if (record == nullptr) return;
  if (const object* const dns = object_at(*record, "dns")) {
    const std::string_view type = text_at(*dns, "rrtype");
    if (type == "A" || type == "AAAA" || type == "HTTPS") add(text_at(*dns, "rrname"));
  }
  if (const object* const tls = object_at(*record, "tls")) add(text_at(*tls, "sni"));
  if (const object* const http = object_at(*record, "http")) add(text_at(*http, "hostname"));
  const object* const mptcp = object_at(*record, "mptcp");
  const auto* const names = mptcp == nullptr ? nullptr : mptcp->if_contains("names");
  if (names == nullptr || !names->is_array()) return;
  for (const auto& name : names->get_array())
    if (const object* const one = name.if_object()) add(text_at(*one, "name"));
}

}  // namespace weir::probe::targets
