#include "report/names.h"

namespace weir::report {

std::string_view name_of(engine::ConnectionState state) {
  using enum engine::ConnectionState;
  switch (state) {
    case kOpen:
      return "open";
    case kClosed:
      return "closed";
    case kReset:
      return "reset";
    case kFallback:
      return "fallback";
    case kRefused:
      return "refused";
  }
  return "open";
}

std::string_view name_of(engine::FallbackReason reason) {
  using enum engine::FallbackReason;
  switch (reason) {
    case kNone:
      return "";
    case kNoOptionInSynAck:
      return "no_option_in_synack";
    case kNoOptionInAck:
      return "no_option_in_ack";
    case kNoDss:
      return "no_dss";
    case kInfiniteMapping:
      return "infinite_mapping";
    case kMpFail:
      return "mp_fail";
    case kVersion:
      return "version";
  }
  return "";
}

std::string_view name_of(engine::SubflowState state) {
  using enum engine::SubflowState;
  switch (state) {
    case kAttempted:
      return "attempted";
    case kEstablished:
      return "established";
    case kClosed:
      return "closed";
    case kReset:
      return "reset";
    case kFailed:
      return "failed";
  }
  return "attempted";
}

std::string_view name_of(engine::Auth auth) {
  using enum engine::Auth;
  switch (auth) {
    case kVerified:
      return "verified";
    case kUnverified:
      return "unverified";
    case kFailed:
      return "failed";
  }
  return "unverified";
}

std::string_view name_of(engine::AnomalyType type) {
  using enum engine::AnomalyType;
  switch (type) {
    case kMptcp:
      return "mptcp";
    case kTcp:
      return "tcp";
    case kDecode:
      return "decode";
  }
  return "mptcp";
}

std::string_view name_of(engine::ServerName::Source source) {
  using enum engine::ServerName::Source;
  switch (source) {
    case kDns:
      return "dns";
    case kSni:
      return "sni";
    case kHttp:
      return "http";
  }
  return "dns";
}

std::string_view name_of(engine::RecordAction action) { return action == engine::RecordAction::kBlocked ? "blocked" : "allowed"; }

std::string_view name_of(inspect::InventoryRole role) { return role == inspect::InventoryRole::kClient ? "client" : "server"; }

std::string_view name_of(inspect::InventoryNews::What what) {
  using enum inspect::InventoryNews::What;
  switch (what) {
    case kSpeaker:
      return "speaker";
    case kVersion:
      return "version";
    case kAddress:
      return "address";
  }
  return "speaker";
}

}  // namespace weir::report
