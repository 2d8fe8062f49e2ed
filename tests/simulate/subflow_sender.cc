#include "subflow_sender.h"

#include <algorithm>
#include <stdexcept>

namespace weir::simulate {

std::uint64_t SubflowSender::room() const {
  if (finishing_) return 0;
  const std::uint64_t limit = std::min(right_edge_, una_ + congestion_window_);
  return limit > end_ ? limit - end_ : 0;
}

void SubflowSender::queue(std::uint64_t offset, std::uint32_t length, std::uint64_t data_sum) {
  mappings_.push_back({.position = end_, .offset = offset, .length = length, .data_sum = data_sum});
  end_ += length;
}

const SentMapping* SubflowSender::mapping_at(std::uint64_t position) const {
  const auto found = std::upper_bound(mappings_.begin(), mappings_.end(), position, [](std::uint64_t p, const SentMapping& m) { return p < m.end(); });
  return found == mappings_.end() ? nullptr : &*found;
}

std::optional<Cut> SubflowSender::take_new(std::uint32_t longest) {
  if (next_ < end_) {
    const std::uint64_t limit = std::min(right_edge_, una_ + congestion_window_);
    if (limit <= next_) return std::nullopt;
    const SentMapping* mapping = mapping_at(next_);
    Cut cut{.position = next_,
            .length = static_cast<std::uint32_t>(std::min({mapping->end() - next_, std::uint64_t{longest}, limit - next_})),
            .mapping = *mapping};
    next_ += cut.length;
    if (finishing_ && next_ == end_) {
      cut.fin = fin_sent_ = true;
      ++next_;
    }
    return cut;
  }
  if (finishing_ && !fin_sent_) {
    fin_sent_ = true;
    ++next_;
    return Cut{.position = end_, .length = 0, .mapping = {}, .fin = true};
  }
  return std::nullopt;
}

std::optional<Cut> SubflowSender::again(std::uint32_t longest) const {
  if (!outstanding()) return std::nullopt;
  if (una_ == end_) return Cut{.position = end_, .length = 0, .mapping = {}, .fin = true};
  const std::uint64_t sent = std::min(next_, end_);
  const SentMapping* mapping = mapping_at(una_);
  Cut cut{.position = una_, .length = static_cast<std::uint32_t>(std::min({mapping->end() - una_, std::uint64_t{longest}, sent - una_})), .mapping = *mapping};
  cut.fin = fin_sent_ && una_ + cut.length == end_;
  return cut;
}

SubflowSender::Outcome SubflowSender::acknowledge(std::uint64_t position, std::uint64_t window, bool repeat) {
  Outcome outcome;
  if (position > next_ || position < una_) return outcome;
  const bool same_edge = position + window <= right_edge_;
  right_edge_ = std::max(right_edge_, position + window);
  if (position == una_) {
    if (repeat && same_edge && outstanding() && ++repeats_ == 3 && una_ >= recover_) {
      recover_ = next_;
      outcome.retransmit = true;
    }
    return outcome;
  }
  una_ = position;
  repeats_ = 0;
  outcome.progress = true;
  outcome.retransmit = una_ < recover_ && outstanding();
  while (!mappings_.empty() && mappings_.front().end() <= una_) mappings_.pop_front();
  return outcome;
}

void SubflowSender::timed_out() {
  recover_ = next_;
  repeats_ = 0;
}

}  // namespace weir::simulate
