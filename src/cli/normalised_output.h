// --normalise-to in a run: the interface, which the run has once, and a LiveNormaliser for each shard.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "capture/output_interface.h"
#include "cli/normalise_options.h"
#include "report/live_normaliser.h"

namespace weir::cli {

/// Purpose: opens the interface, tells people when it goes and comes, removes it at the end if it was made here.
/// Outlives the normalisers that it gives. One owner, one thread; each normaliser belongs to one shard.
class NormalisedOutput {
 public:
  /// None: it cannot be used; it is said. `captured`: the interfaces that are listened on.
  static std::unique_ptr<NormalisedOutput> open(const NormaliseOptions& options, const std::vector<std::string>& captured);
  /// One for each shard; none: it is said.
  std::unique_ptr<report::LiveNormaliser> normaliser(bool several_points, bool trust_wrong_checksums) const;
  /// To be called about once a second.
  void look_after();

 private:
  NormalisedOutput(const NormaliseOptions& options, std::unique_ptr<capture::OutputInterface> interface)
      : options_(options), interface_(std::move(interface)) {}

  NormaliseOptions options_;
  std::unique_ptr<capture::OutputInterface> interface_;
};

}  // namespace weir::cli
