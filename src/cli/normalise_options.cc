#include "cli/normalise_options.h"

namespace weir::cli {

void NormaliseOptions::complete(const NormaliseOptions& more) {
  if (interface.empty()) interface = more.interface;
  if (!create) create = more.create;
  if (!mtu_bytes) mtu_bytes = more.mtu_bytes;
  if (!others) others = more.others;
}

std::optional<capture::CreateLink> create_link_of(std::string_view word) {
  using capture::CreateLink;
  if (word == "none") return CreateLink::kNone;
  if (word == "dummy") return CreateLink::kDummy;
  if (word == "tap") return CreateLink::kTap;
  if (word == "veth") return CreateLink::kVeth;
  return std::nullopt;
}

std::optional<report::OtherPackets> other_packets_of(std::string_view word) {
  using report::OtherPackets;
  if (word == "all") return OtherPackets::kAll;
  if (word == "tcp") return OtherPackets::kTcp;
  if (word == "none") return OtherPackets::kNone;
  return std::nullopt;
}

}  // namespace weir::cli
