#include "report/live_normaliser.h"

namespace weir::report {

LiveNormaliser::LiveNormaliser(const Settings& settings, capture::LiveSender sender)
    : sender_(std::move(sender)),
      frames_(sender_),
      normaliser_({.link = LinkType::kEthernet,
                   .several_points = settings.several_points,
                   .mtu_bytes = settings.mtu_bytes,
                   .others = settings.others,
                   .fragment_patience = kPatience,
                   .trust_wrong_checksums = settings.trust_wrong_checksums},
                  frames_) {}

std::vector<NamedCounter> LiveNormaliser::counters() const {
  const auto sent = sender_.counters();
  const auto made = normaliser_.counters();
  return {
      {"normalise.packets", sent.packets},
      {"normalise.bytes", sent.bytes},
      {"normalise.dropped", sent.dropped},
      {"normalise.interface_down", sent.interface_down},
      {"normalise.refused", sent.refused},
      {"normalise.flow_packets", made.packets},
      {"normalise.other_packets", made.passed},
      {"normalise.left_out", made.left_out_others},
      {"normalise.cut", made.cut},
      {"normalise.checksums_finished", made.finished},
      {"normalise.too_long_left_out", made.left_out_too_long},
      {"normalise.cut_short_left_out", made.left_out_cut_short},
      {"normalise.link_local_left_out", made.left_out_link_local},
      {"normalise.not_ip_left_out", made.left_out_not_ip},
      {"normalise.seen_at_two_points", made.left_out_twice},
      {"normalise.fragments_undecided", made.fragments_undecided},
  };
}

}  // namespace weir::report
