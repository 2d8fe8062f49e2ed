#include "report/inventory_text.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <iterator>
#include <limits>
#include <optional>

#include "report/names.h"
#include "report/table.h"
#include "report/time_text.h"

namespace weir::report {
namespace {

using inspect::Inventory;
using inspect::InventoryAddress;
using inspect::InventoryEntry;
using inspect::InventoryRole;

constexpr std::string_view kFormat = "weir-inventory-1";
constexpr unsigned kVersions = 2;

std::string time_text(TimeNs time) {
  std::string text;
  append_timestamp(text, time);
  return text;
}

std::string versions_text(std::uint8_t versions, std::string_view between) {
  std::string text;
  for (unsigned v = 0; v < kVersions; ++v) {
    if ((versions >> v & 1U) != 0) text += fmt::format("{}{}", text.empty() ? "" : between, v);
  }
  return text;
}

std::string address_text(const InventoryAddress& each) {
  std::string address = to_string(each.address);
  if (each.port == 0) return address;
  return each.address.is_v4() ? fmt::format("{}:{}", address, each.port) : fmt::format("[{}]:{}", address, each.port);
}

/// What a field must be is not there, or is something else.
struct Wrong {
  std::string why;
};

const boost::json::value& at(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr) throw Wrong{fmt::format("'{}' is missing", name)};
  return *value;
}

std::string_view text_at(const boost::json::object& object, std::string_view name) {
  const auto& value = at(object, name);
  if (!value.is_string()) throw Wrong{fmt::format("'{}' is no text", name)};
  return {value.get_string().data(), value.get_string().size()};
}

bool truth_at(const boost::json::object& object, std::string_view name) {
  const auto& value = at(object, name);
  if (!value.is_bool()) throw Wrong{fmt::format("'{}' is neither true nor false", name)};
  return value.get_bool();
}

std::uint64_t number_in(const boost::json::value& value, std::string_view name, std::uint64_t most) {
  const bool negative = value.is_int64() && value.get_int64() < 0;
  if (negative || !(value.is_int64() || value.is_uint64())) throw Wrong{fmt::format("'{}' is no number of things", name)};
  const std::uint64_t number = value.is_int64() ? static_cast<std::uint64_t>(value.get_int64()) : value.get_uint64();
  if (number > most) throw Wrong{fmt::format("'{}' is beyond {}", name, most)};
  return number;
}

std::uint64_t number_at(const boost::json::object& object, std::string_view name, std::uint64_t most = std::numeric_limits<std::int64_t>::max()) {
  return number_in(at(object, name), name, most);
}

TimeNs time_at(const boost::json::object& object, std::string_view name) {
  const auto time = parse_timestamp(text_at(object, name));
  if (!time) throw Wrong{fmt::format("'{}' is no time", name)};
  return *time;
}

IpAddress address_at(const boost::json::object& object) {
  const auto address = parse_ip_address(text_at(object, "address"));
  if (!address) throw Wrong{"'address' is no IP address"};
  return *address;
}

const boost::json::array& list_at(const boost::json::object& object, std::string_view name, std::size_t most) {
  const auto& value = at(object, name);
  if (!value.is_array()) throw Wrong{fmt::format("'{}' is no list", name)};
  if (value.get_array().size() > most) throw Wrong{fmt::format("'{}' is too long", name)};
  return value.get_array();
}

const boost::json::object& object_in(const boost::json::value& value, std::string_view what) {
  if (!value.is_object()) throw Wrong{fmt::format("{} is no object", what)};
  return value.get_object();
}

InventoryEntry entry_of(const boost::json::object& object) {
  InventoryEntry entry;
  entry.key.address = address_at(object);
  const std::string_view role = text_at(object, "role");
  if (role != "client" && role != "server") throw Wrong{"'role' is neither client nor server"};
  if (role == "server") {
    entry.key.role = InventoryRole::kServer;
    entry.key.port = static_cast<std::uint16_t>(number_at(object, "port", 65'535));
  }
  entry.speaks = truth_at(object, "speaks");
  for (const auto& version : list_at(object, "versions", kVersions))
    entry.versions = static_cast<std::uint8_t>(entry.versions | 1U << number_in(version, "versions", kVersions - 1));
  entry.first_ns = time_at(object, "first_seen");
  entry.last_ns = time_at(object, "last_seen");
  entry.agreed = number_at(object, "agreed");
  entry.refused = number_at(object, "refused");
  entry.unanswered = number_at(object, "unanswered");
  entry.fallback = number_at(object, "fallback");
  entry.most_subflows = static_cast<std::uint32_t>(number_at(object, "most_subflows", std::numeric_limits<std::uint32_t>::max()));
  for (const auto& value : list_at(object, "addresses", Inventory::kMostAddresses)) {
    const auto& each = object_in(value, "an address");
    InventoryAddress address;
    address.address = address_at(each);
    if (each.contains("port")) address.port = static_cast<std::uint16_t>(number_at(each, "port", 65'535));
    address.offered = truth_at(each, "offered");
    address.authentic = truth_at(each, "authentic");
    address.used = truth_at(each, "used");
    entry.addresses.push_back(address);
  }
  return entry;
}

}  // namespace

void inventory_address(JsonWriter& json, const InventoryAddress& address) {
  json.begin_object().field("address", to_string(address.address));
  if (address.port != 0) json.field("port", address.port);
  json.field("offered", address.offered).field("authentic", address.authentic).field("used", address.used).end_object();
}

void inventory_fields(JsonWriter& json, const InventoryEntry& entry) {
  json.field("address", to_string(entry.key.address)).field("role", name_of(entry.key.role));
  if (entry.key.role == InventoryRole::kServer) json.field("port", entry.key.port);
  json.field("speaks", entry.speaks).key("versions").begin_array();
  for (unsigned v = 0; v < kVersions; ++v) {
    if ((entry.versions >> v & 1U) != 0) json.value(v);
  }
  json.end_array().field("first_seen", time_text(entry.first_ns)).field("last_seen", time_text(entry.last_ns));
  json.field("agreed", entry.agreed).field("refused", entry.refused).field("unanswered", entry.unanswered).field("fallback", entry.fallback);
  json.field("most_subflows", entry.most_subflows).key("addresses").begin_array();
  for (const auto& each : entry.addresses) inventory_address(json, each);
  json.end_array();
}

std::string inventory_json(std::span<const InventoryEntry> entries) {
  std::string out = fmt::format("{{\"format\":\"{}\",\"inventory\":[", kFormat);
  for (const InventoryEntry& entry : entries) {
    out += &entry == entries.data() ? "\n" : ",\n";
    JsonWriter json(out);
    json.begin_object();
    inventory_fields(json, entry);
    json.end_object();
  }
  return out + "\n]}\n";
}

std::string inventory_csv(std::span<const InventoryEntry> entries) {
  std::string out =
      "address,role,port,speaks,versions,first_seen,last_seen,agreed,refused,unanswered,fallback,most_subflows,addresses_offered,addresses_used\r\n";
  for (const InventoryEntry& entry : entries) {
    std::string offered, used;
    for (const auto& each : entry.addresses) {
      for (auto* list : {each.offered ? &offered : nullptr, each.used ? &used : nullptr}) {
        if (list != nullptr) *list += (list->empty() ? "" : " ") + address_text(each);
      }
    }
    fmt::format_to(std::back_inserter(out), "{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n", to_string(entry.key.address), name_of(entry.key.role),
                   entry.key.role == InventoryRole::kServer ? std::to_string(entry.key.port) : "", entry.speaks ? "yes" : "no",
                   versions_text(entry.versions, " "), time_text(entry.first_ns), time_text(entry.last_ns), entry.agreed, entry.refused, entry.unanswered,
                   entry.fallback, entry.most_subflows, offered, used);
  }
  return out;
}

std::string inventory_table(std::span<const InventoryEntry> entries, const TextStyle& style) {
  if (entries.empty()) return "Nothing in the inventory.\n";
  Table table(
      {{"HOST"}, {"ROLE"}, {"PORT", true}, {"MPTCP"}, {"FIRST SEEN"}, {"LAST SEEN"}, {"AGREED", true}, {"REFUSED", true}, {"SUBFLOWS", true}, {"NOTABLE"}});
  const auto seconds = [](TimeNs time) { return time_text(time).substr(0, 19); };
  for (const InventoryEntry& entry : entries) {
    std::string notable;
    const auto append = [&](const std::string& text) { notable += (notable.empty() ? "" : ", ") + text; };
    if (entry.fallback != 0) append(fmt::format("{} fell back", grouped(entry.fallback)));
    if (entry.unanswered != 0) append(fmt::format("{} not answered", grouped(entry.unanswered)));
    for (const auto& each : entry.addresses) append(fmt::format("{} {}", each.used ? "also at" : "offers", address_text(each)));
    const std::string versions = entry.versions != 0 ? "v" + versions_text(entry.versions, ", v") : "?";
    table.row({to_string(entry.key.address), std::string(name_of(entry.key.role)),
               entry.key.role == InventoryRole::kServer ? std::to_string(entry.key.port) : "", entry.speaks ? versions : "refuses", seconds(entry.first_ns),
               seconds(entry.last_ns), grouped(entry.agreed), grouped(entry.refused), grouped(entry.most_subflows), notable});
  }
  return table.text(style);
}

std::expected<std::vector<InventoryEntry>, std::string> inventory_from_json(std::string_view text) {
  boost::json::error_code error;
  const auto whole = boost::json::parse({text.data(), text.size()}, error);
  if (error) return std::unexpected("no JSON: " + error.message());
  std::vector<InventoryEntry> entries;
  try {
    const auto& root = object_in(whole, "it");
    if (text_at(root, "format") != kFormat) return std::unexpected(fmt::format("the format is not {}", kFormat));
    for (const auto& value : list_at(root, "inventory", std::numeric_limits<std::size_t>::max())) {
      try {
        entries.push_back(entry_of(object_in(value, "it")));
      } catch (const Wrong& wrong) {
        return std::unexpected(fmt::format("entry {}: {}", entries.size() + 1, wrong.why));
      }
    }
  } catch (const Wrong& wrong) {
    return std::unexpected(wrong.why);
  }
  return entries;
}

}  // namespace weir::report
