#include "gateway/connection_marks.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>

extern "C" {
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
}

namespace weir::gateway {
namespace {

constexpr std::size_t kMessage = 1'024;
constexpr timeval kAnswer{.tv_sec = 1, .tv_usec = 0};

void put_flow(nf_conntrack* flow, const Endpoints& e) {
  nfct_set_attr_u8(flow, ATTR_L4PROTO, IPPROTO_TCP);
  nfct_set_attr_u16(flow, ATTR_PORT_SRC, htons(e.src_port));
  nfct_set_attr_u16(flow, ATTR_PORT_DST, htons(e.dst_port));
  const bool v4 = e.src.is_v4();
  nfct_set_attr_u8(flow, ATTR_L3PROTO, v4 ? AF_INET : AF_INET6);
  nfct_set_attr(flow, v4 ? ATTR_IPV4_SRC : ATTR_IPV6_SRC, e.src.wire().data());
  nfct_set_attr(flow, v4 ? ATTR_IPV4_DST : ATTR_IPV6_DST, e.dst.wire().data());
}

}  // namespace

ConnectionMarks::ConnectionMarks(std::uint32_t mask) : mask_(mask), socket_(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC)) {
  if (socket_ == nullptr) return;
  ::setsockopt(mnl_socket_get_fd(socket_), SOL_SOCKET, SO_RCVTIMEO, &kAnswer, sizeof kAnswer);
  if (mnl_socket_bind(socket_, 0, MNL_SOCKET_AUTOPID) >= 0) return;
  mnl_socket_close(socket_);
  socket_ = nullptr;
}

ConnectionMarks::~ConnectionMarks() {
  if (socket_ != nullptr) mnl_socket_close(socket_);
}

bool ConnectionMarks::set(const Endpoints& flow, std::uint32_t value) {
  // Where one address is translated, the other direction's are as they are seen here.
  const bool done = socket_ != nullptr && (update(flow, value) || update({flow.dst, flow.src, flow.dst_port, flow.src_port}, value));
  ++(done ? set_ : failed_);
  return done;
}

bool ConnectionMarks::update(const Endpoints& flow, std::uint32_t value) {
  alignas(NLMSG_ALIGNTO) std::array<char, kMessage> message{};
  nlmsghdr* const head = mnl_nlmsg_put_header(message.data());
  head->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8U | IPCTNL_MSG_CT_NEW;
  head->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;  // without NLM_F_CREATE: only what is there
  head->nlmsg_seq = ++sequence_;
  auto* const more = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(head, sizeof(nfgenmsg)));
  more->nfgen_family = flow.src.is_v4() ? AF_INET : AF_INET6;
  more->version = NFNETLINK_V0;
  nf_conntrack* const entry = nfct_new();
  if (entry == nullptr) return false;
  put_flow(entry, flow);
  const bool built = nfct_nlmsg_build(head, entry) == 0;
  nfct_destroy(entry);
  if (!built) return false;
  mnl_attr_put_u32(head, CTA_MARK, htonl(value));
  mnl_attr_put_u32(head, CTA_MARK_MASK, htonl(mask_));
  if (mnl_socket_sendto(socket_, head, head->nlmsg_len) < 0) return false;
  for (;;) {
    const ssize_t size = mnl_socket_recvfrom(socket_, message.data(), message.size());
    if (size < 0) return false;
    const auto* const answer = reinterpret_cast<const nlmsghdr*>(message.data());
    if (answer->nlmsg_seq != sequence_) continue;  // of one that was given up
    return mnl_cb_run(message.data(), static_cast<std::size_t>(size), sequence_, mnl_socket_get_portid(socket_), nullptr, nullptr) >= 0;
  }
}

}  // namespace weir::gateway
