#include "gateway/saved_decisions.h"

#include <boost/unordered/unordered_flat_map.hpp>
#include <string>

#include "base/saved_form.h"
#include "gateway/octets.h"

namespace weir::gateway {
namespace {

constexpr std::uint64_t kMagic = 0x5765697244656300;  // "WeirDec", and an octet for the form: '1', '2'
constexpr std::size_t kMostText = 4'096;
constexpr std::size_t kMostPaths = 1'024;
constexpr std::uint32_t kMostCounted = 65'536;

void write(Octets& out, const decide::Decision& d) {
  out.number(static_cast<std::uint8_t>(d.action));
  out.text(d.rule);
  out.text(d.reason);
  const decide::JoinLimits& l = d.limits;
  out.number(static_cast<std::uint32_t>(l.paths.size()));
  for (const std::string& path : l.paths) out.text(path);
  for (const std::uint32_t value : {l.subflows, l.joins_per_second, l.host_connections, l.host_subflows, l.host_joins_per_second}) out.number(value);
  out.number(static_cast<std::uint8_t>(l.opened_by));
  out.number(static_cast<std::uint8_t>(l.add_addr));
  out.number(l.versions);
  out.flag(l.backup_only);
}

void refuse(ByteReader& in) { in.skip(in.remaining() + 1); }

std::string read_text(ByteReader& in) {
  const std::size_t size = in.u32();
  if (size > kMostText) {
    refuse(in);
    return {};
  }
  std::string text;
  for (const std::byte b : in.take(size)) text.push_back(static_cast<char>(b));
  return text;
}

template <typename Enum>
Enum read_enum(ByteReader& in, Enum last) {
  const std::uint8_t octet = in.u8();
  if (octet > static_cast<std::uint8_t>(last)) refuse(in);
  return static_cast<Enum>(octet);
}

bool read_flag(ByteReader& in) {
  const std::uint8_t octet = in.u8();
  if (octet > 1) refuse(in);
  return octet == 1;
}

IpAddress read_address(ByteReader& in) {
  IpAddress address{};
  for (std::uint8_t& octet : address.octets) octet = in.u8();
  return address;
}

std::shared_ptr<const decide::Decision> read_decision(ByteReader& in) {
  auto d = std::make_shared<decide::Decision>();
  d->action = read_enum(in, decide::Action::kProxy);
  d->rule = read_text(in);
  d->reason = read_text(in);
  decide::JoinLimits& l = d->limits;
  const std::uint32_t paths = in.u32();
  if (paths > kMostPaths) refuse(in);
  for (std::uint32_t i = 0; i < paths && in.ok(); ++i) l.paths.push_back(read_text(in));
  for (std::uint32_t* value : {&l.subflows, &l.joins_per_second, &l.host_connections, &l.host_subflows, &l.host_joins_per_second}) *value = in.u32();
  l.opened_by = read_enum(in, decide::MayOpen::kServer);
  l.add_addr = read_enum(in, decide::AddAddr::kTranslate);
  l.versions = in.u8();
  l.backup_only = read_flag(in);
  return d;
}

SavedDecision read_one(ByteReader& in, unsigned form, std::span<const std::shared_ptr<const decide::Decision>> decisions) {
  SavedDecision one;
  one.connection = in.u64();
  const std::uint32_t which = in.u32();
  if (which < decisions.size()) {
    one.decision = decisions[which];
  } else {
    refuse(in);
  }
  one.client = read_address(in);
  one.client_port = in.u16();
  one.server_port = in.u16();
  one.counted = in.u32();
  if (one.counted > kMostCounted) refuse(in);
  for (bool* flag : {&one.blocked, &one.unseen_told, &one.offloaded, &one.has_offers}) *flag = read_flag(in);
  if (form > 1) one.kept_mark = read_flag(in);
  return one;
}

}  // namespace

std::vector<std::byte> write_decisions(std::span<const SavedDecision> all, unsigned form) {
  boost::unordered_flat_map<const decide::Decision*, std::uint32_t> places;
  std::vector<const decide::Decision*> decisions;
  for (const SavedDecision& one : all) {
    if (places.emplace(one.decision.get(), static_cast<std::uint32_t>(decisions.size())).second) decisions.push_back(one.decision.get());
  }
  Octets out;
  out.number(magic_of(kMagic, form));
  out.number(static_cast<std::uint32_t>(decisions.size()));
  for (const decide::Decision* decision : decisions) write(out, *decision);
  out.number(static_cast<std::uint32_t>(all.size()));
  for (const SavedDecision& one : all) {
    out.number(one.connection);
    out.number(places[one.decision.get()]);
    out.address(one.client);
    out.number(one.client_port);
    out.number(one.server_port);
    out.number(one.counted);
    for (const bool flag : {one.blocked, one.unseen_told, one.offloaded, one.has_offers}) out.flag(flag);
    if (form > 1) out.flag(one.kept_mark);
  }
  return out.take();
}

std::optional<std::vector<SavedDecision>> read_decisions(Bytes octets, std::size_t most) {
  ByteReader in(octets);
  const auto form = form_of(in.u64(), kMagic, kOldestDecisionsForm, kDecisionsForm);
  if (!form) return std::nullopt;
  std::vector<std::shared_ptr<const decide::Decision>> decisions;
  const std::uint32_t kinds = in.u32();
  for (std::uint32_t i = 0; i < kinds && in.ok(); ++i) decisions.push_back(read_decision(in));
  const std::uint32_t count = in.u32();
  std::vector<SavedDecision> all;
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    SavedDecision one = read_one(in, *form, decisions);
    if (in.ok() && all.size() < most) all.push_back(std::move(one));
  }
  if (!in.ok() || in.remaining() != 0) return std::nullopt;
  return all;
}

}  // namespace weir::gateway
