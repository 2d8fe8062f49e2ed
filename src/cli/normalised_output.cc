#include "cli/normalised_output.h"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "cli/say.h"

namespace weir::cli {

std::unique_ptr<NormalisedOutput> NormalisedOutput::open(const NormaliseOptions& options, const std::vector<std::string>& captured) {
  auto interface = capture::OutputInterface::open({.name = options.interface,
                                                   .create = options.create.value_or(capture::CreateLink::kNone),
                                                   .mtu_bytes = options.mtu_bytes.value_or(NormaliseOptions::kStandardMtu),
                                                   .captured = captured});
  if (!interface) return say(interface.error().file, interface.error().what, interface.error().hint), nullptr;
  return std::unique_ptr<NormalisedOutput>(new NormalisedOutput(options, std::move(*interface)));
}

std::unique_ptr<report::LiveNormaliser> NormalisedOutput::normaliser(bool several_points, bool trust_wrong_checksums) const {
  auto sender = interface_->sender();
  if (!sender) return say(sender.error().file, sender.error().what, sender.error().hint), nullptr;
  const report::LiveNormaliser::Settings settings{.mtu_bytes = interface_->mtu_bytes(),
                                                  .others = options_.others.value_or(report::OtherPackets::kAll),
                                                  .several_points = several_points,
                                                  .trust_wrong_checksums = trust_wrong_checksums};
  return std::make_unique<report::LiveNormaliser>(settings, std::move(*sender));
}

void NormalisedOutput::look_after() {
  using Change = capture::OutputInterface::Change;
  switch (interface_->look_after()) {
    case Change::kGone:
      say(options_.interface, "the interface for normalised traffic is gone", "used again when one of that name is there");
      break;
    case Change::kBack:
      tell(fmt::format("{}: used again", options_.interface));
      break;
    case Change::kNone:
      break;
  }
}

}  // namespace weir::cli
