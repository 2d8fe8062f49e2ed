// What conntrack keeps of a flow, asked for and changed without a packet of it.
#pragma once

#include <cstdint>
#include <optional>

#include "base/endpoints.h"

struct mnl_socket;
struct nf_conntrack;
struct nlmsghdr;

namespace weir::gateway {

/// Purpose: sets connection marks in the kernel, in some of their bits. A flow whose both addresses are translated is not found by those that Weir sees: it
/// counts as failed. Ownership: a netlink socket; without one (no CAP_NET_ADMIN) all fail, and are counted. One owner, one thread.
class ConnectionMarks {
 public:
  explicit ConnectionMarks(std::uint32_t mask);
  ConnectionMarks(const ConnectionMarks&) = delete;
  ConnectionMarks& operator=(const ConnectionMarks&) = delete;
  ~ConnectionMarks();

  /// Of the flow between these, in either direction. false: there is none, or the kernel refuses.
  bool set(const Endpoints& flow, std::uint32_t value);
  /// The same where the flow's handshake was not seen complete. false: it was, so that the flow may be another one's; or there is none, or the kernel refuses.
  bool set_opening(const Endpoints& flow, std::uint32_t value);
  /// Whether there is an entry with these addresses, in this direction; none: it cannot be told.
  std::optional<bool> follows(const Endpoints& flow);
  /// How the packets are addressed by who sends them, that Weir sees with these addresses; none: no entry, or both addresses are translated.
  std::optional<Endpoints> as_sent(const Endpoints& flow);
  // Grow only.
  std::uint64_t set_count() const { return set_; }
  std::uint64_t failed_count() const { return failed_; }
  /// Of set_opening(), before the kernel was asked to set any.
  std::uint64_t denied_count() const { return denied_; }

 private:
  bool is_opening(const Endpoints& flow);
  bool update(const Endpoints& flow, std::uint32_t value);
  /// An answer of the kernel: 0, or its error; none: there is none.
  std::optional<int> ask(nlmsghdr* head, nf_conntrack* entry = nullptr);

  std::uint32_t mask_;
  mnl_socket* socket_;
  std::uint32_t sequence_ = 0;
  std::uint64_t set_ = 0, failed_ = 0, denied_ = 0;
};

}  // namespace weir::gateway
