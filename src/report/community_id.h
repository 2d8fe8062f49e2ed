// Community ID, version 1, seed 0: the same text for a flow in every tool that knows it, whichever way the packet goes.
// https://github.com/corelight/community-id-spec
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/records.h"

namespace weir::report {

/// Purpose: community ids of TCP flows. Keeps the digest's context, which costs more to make than the digest.
class CommunityId {
 public:
  CommunityId();
  ~CommunityId();
  CommunityId(const CommunityId&) = delete;
  CommunityId& operator=(const CommunityId&) = delete;

  std::string of(const engine::Endpoints& flow);

 private:
  struct Digest;
  std::unique_ptr<Digest> digest_;
};

}  // namespace weir::report
