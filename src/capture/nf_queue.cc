#include "capture/nf_queue.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "capture/sent_flow.h"

namespace weir::capture {
namespace {

constexpr std::size_t kMessage = (64 << 10) + 4'096;  ///< the longest IP packet, and what netlink says of it
constexpr std::size_t kVerdictsBytes = 128 << 10;     ///< that wait for flush() at most
constexpr std::size_t kVerdictBytes = 128;            ///< of one without octets
/// Octets that are looked at before their packets go on: the hosts work meanwhile, and the octets stay in cache from their copying to their scan.
constexpr std::size_t kBatchBytes = 256 << 10;
/// Packets of a batch with fewer go on at once; with more the next ones are looked at meanwhile.
constexpr std::size_t kManyBytes = 64 << 10;
constexpr std::uint32_t kWholePacket = 0xffff;
constexpr int kConfigureMs = 1'000;

/// The kernel says EPERM both to who may not have any queue and to who asks for one that another process has.
Error failed(std::uint16_t number, std::string what, int error, bool taken = false) {
  if (taken || error == EBUSY)
    return {.file = "queue " + std::to_string(number),
            .offset = 0,
            .what = std::move(what) + ": another process has it",
            .hint = "a gateway that runs already? gateway.first_queue names other queues"};
  std::string hint;
  if (error == EPERM || error == EACCES) hint = "CAP_NET_ADMIN is needed";
  return {.file = "queue " + std::to_string(number), .offset = 0, .what = std::move(what) + ": " + std::strerror(error), .hint = std::move(hint)};
}

/// A number of /proc/net/netfilter/nfnetlink_queue, whose lines are: queue, peer, waiting, mode, range, queue dropped, user dropped, last id, 1.
std::uint64_t column(std::string_view line, std::size_t which) {
  std::size_t at = 0;
  for (std::size_t i = 0;; ++i) {
    at = line.find_first_not_of(' ', at);
    if (at == std::string_view::npos) return 0;
    if (i == which) break;
    at = line.find(' ', at);
    if (at == std::string_view::npos) return 0;
  }
  std::uint64_t value = 0;
  for (; at < line.size() && line[at] >= '0' && line[at] <= '9'; ++at) value = value * 10 + static_cast<std::uint64_t>(line[at] - '0');
  return value;
}

/// What the kernel tells of the queue; empty: there is none.
std::string line_of(int statistics, std::uint16_t number) {
  std::array<char, 16'384> text;
  const ssize_t size = statistics < 0 ? 0 : ::pread(statistics, text.data(), text.size(), 0);
  std::string_view rest(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (column(line, 0) == number) return std::string(line);
  }
  return {};
}

/// Of verdicts, one behind the other.
std::size_t count_of(std::span<const std::byte> verdicts) {
  std::size_t count = 0;
  int left = static_cast<int>(verdicts.size());
  for (const auto* head = reinterpret_cast<const nlmsghdr*>(verdicts.data()); mnl_nlmsg_ok(head, left); head = mnl_nlmsg_next(head, &left)) ++count;
  return count;
}

std::uint32_t number_of(const nlattr* attribute) { return attribute == nullptr ? 0 : ntohl(mnl_attr_get_u32(attribute)); }

}  // namespace

NfQueue::NfQueue(const NfQueueSettings& settings, mnl_socket* socket)
    : settings_(settings),
      socket_(socket),
      statistics_(settings.statistics >= 0 ? ::fcntl(settings.statistics, F_DUPFD_CLOEXEC, 0) : open_statistics()),
      buffers_(std::make_unique<std::byte[]>(kBatch * kMessage)),
      headers_(kBatch),
      pieces_(kBatch),
      sender_([socket](std::span<const std::byte> verdicts) {
        return mnl_socket_sendto(socket, verdicts.data(), verdicts.size()) >= 0 ? std::size_t{0} : count_of(verdicts);
      }) {
  packets_.reserve(kBatch);
  verdicts_.reserve(kVerdictsBytes + kMessage);
  for (std::size_t i = 0; i < kBatch; ++i) {
    pieces_[i] = {.iov_base = buffer(i), .iov_len = kMessage};
    headers_[i].msg_hdr.msg_iov = &pieces_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
  }
}

NfQueue::~NfQueue() {
  flush();
  settle();
  mnl_socket_close(socket_);
  if (statistics_ >= 0) ::close(statistics_);
}

int NfQueue::open_statistics() { return ::open("/proc/net/netfilter/nfnetlink_queue", O_RDONLY | O_CLOEXEC); }

std::byte* NfQueue::buffer(std::size_t i) const { return buffers_.get() + i * kMessage; }

int NfQueue::descriptor() const { return mnl_socket_get_fd(socket_); }

std::expected<std::unique_ptr<NfQueue>, Error> NfQueue::open(const NfQueueSettings& settings) {
  mnl_socket* const socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
  if (socket == nullptr) return std::unexpected(failed(settings.number, "no netlink", errno));
  std::unique_ptr<NfQueue> queue(new NfQueue(settings, socket));
  if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) return std::unexpected(failed(settings.number, "cannot be bound to", errno));
  if (auto configured = queue->configure(); !configured) return std::unexpected(configured.error());
  return queue;
}

std::expected<void, Error> NfQueue::configure() {
  const int descriptor = mnl_socket_get_fd(socket_);
  const int bytes = static_cast<int>(settings_.receive_buffer_bytes);
  if (::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0) ::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  const timeval wait{.tv_sec = kConfigureMs / 1'000, .tv_usec = 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);

  alignas(NLMSG_ALIGNTO) std::array<char, MNL_NLMSG_HDRLEN + 256> message{};
  nlmsghdr* head = nfq_nlmsg_put(message.data(), NFQNL_MSG_CONFIG, settings_.number);
  nfq_nlmsg_cfg_put_cmd(head, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
  if (!send_config(head)) {
    const int error = errno;
    return std::unexpected(failed(settings_.number, "cannot be had", error, is_taken(statistics_, settings_.number)));
  }

  message.fill(0);
  head = nfq_nlmsg_put(message.data(), NFQNL_MSG_CONFIG, settings_.number);
  nfq_nlmsg_cfg_put_params(head, NFQNL_COPY_PACKET, kWholePacket);
  nfq_nlmsg_cfg_put_qmaxlen(head, settings_.most_packets);
  const std::uint32_t flags = NFQA_CFG_F_GSO | (settings_.fail_open ? std::uint32_t{NFQA_CFG_F_FAIL_OPEN} : 0U);
  mnl_attr_put_u32(head, NFQA_CFG_FLAGS, htonl(flags));
  mnl_attr_put_u32(head, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN));
  if (!send_config(head)) return std::unexpected(failed(settings_.number, "takes no settings", errno));
  if (settings_.with_sender) ask_for_sender();
  return {};
}

/// Not every kernel can tell (CONFIG_NETFILTER_NETLINK_GLUE_CT): then no packet has it.
void NfQueue::ask_for_sender() {
  alignas(NLMSG_ALIGNTO) std::array<char, MNL_NLMSG_HDRLEN + 256> message{};
  nlmsghdr* const head = nfq_nlmsg_put(message.data(), NFQNL_MSG_CONFIG, settings_.number);
  mnl_attr_put_u32(head, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_CONNTRACK));
  mnl_attr_put_u32(head, NFQA_CFG_MASK, htonl(NFQA_CFG_F_CONNTRACK));
  send_config(head);
}

/// Sends and reads the answer; packets that come before it cannot be: the queue gives them from the second message on, which is the last.
bool NfQueue::send_config(void* message) const {
  auto* const head = static_cast<nlmsghdr*>(message);
  head->nlmsg_flags |= NLM_F_ACK;
  head->nlmsg_seq = 1;
  if (mnl_socket_sendto(socket_, head, head->nlmsg_len) < 0) return false;
  for (;;) {
    alignas(NLMSG_ALIGNTO) std::array<char, kMessage> answer;
    const ssize_t size = mnl_socket_recvfrom(socket_, answer.data(), answer.size());
    if (size < 0) return false;
    const auto* const first = reinterpret_cast<const nlmsghdr*>(answer.data());
    if (!mnl_nlmsg_ok(first, static_cast<int>(size)) || first->nlmsg_type != NLMSG_ERROR) continue;
    const auto* const error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(first));
    errno = -error->error;
    return error->error == 0;
  }
}

std::span<QueuedPacket> NfQueue::next_batch(TimeNs now) {
  packets_.clear();
  const int count = ::recvmmsg(descriptor(), headers_.data(), static_cast<unsigned>(next_packets_), MSG_DONTWAIT, nullptr);
  if (count < 0) {
    if (errno == ENOBUFS) ++counters_.overflows;
    return {};
  }
  batch_bytes_ = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    batch_bytes_ += headers_[i].msg_len;
    take({buffer(i), headers_[i].msg_len}, now, (headers_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0);
  }
  if (count > 0) next_packets_ = std::clamp<std::size_t>(kBatchBytes * static_cast<std::size_t>(count) / std::max<std::size_t>(batch_bytes_, 1), 1, kBatch);
  return packets_;
}

void NfQueue::take(std::span<std::byte> message, TimeNs now, bool cut) {
  int left = static_cast<int>(message.size());
  for (auto* head = reinterpret_cast<nlmsghdr*>(message.data()); mnl_nlmsg_ok(head, left); head = mnl_nlmsg_next(head, &left)) {
    if (head->nlmsg_type == NLMSG_ERROR) {
      if (static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(head))->error != 0) ++counters_.verdict_errors;
      continue;
    }
    if (head->nlmsg_type != ((NFNL_SUBSYS_QUEUE << 8U) | NFQNL_MSG_PACKET)) continue;
    std::array<nlattr*, NFQA_MAX + 1> found{};
    if (nfq_nlmsg_parse(head, found.data()) < 0 || found[NFQA_PACKET_HDR] == nullptr) continue;
    QueuedPacket packet;
    const auto* const about = static_cast<const nfqnl_msg_packet_hdr*>(mnl_attr_get_payload(found[NFQA_PACKET_HDR]));
    packet.id = ntohl(about->packet_id);
    packet.before_routing = about->hook == NF_INET_PRE_ROUTING;
    if (cut || found[NFQA_PAYLOAD] == nullptr || found[NFQA_CAP_LEN] != nullptr) {
      ++counters_.cut;
      verdict(packet.id, {.verdict = Verdict::kDrop, .mark = {}, .changed = {}});
      continue;
    }
    packet.raw.bytes = {static_cast<const std::byte*>(mnl_attr_get_payload(found[NFQA_PAYLOAD])), mnl_attr_get_payload_len(found[NFQA_PAYLOAD])};
    packet.raw.original_bytes = static_cast<std::uint32_t>(packet.raw.bytes.size());
    packet.raw.time_ns = now;
    packet.raw.link = LinkType::kRaw;
    const std::uint32_t state = number_of(found[NFQA_SKB_INFO]);
    packet.raw.checksum_pending = (state & NFQA_SKB_CSUMNOTREADY) != 0;
    packet.mark = number_of(found[NFQA_MARK]);
    // Of a bridge the port, where the kernel tells it.
    packet.interface_in = number_of(found[NFQA_IFINDEX_PHYSINDEV] != nullptr ? found[NFQA_IFINDEX_PHYSINDEV] : found[NFQA_IFINDEX_INDEV]);
    packet.interface_out = number_of(found[NFQA_IFINDEX_PHYSOUTDEV] != nullptr ? found[NFQA_IFINDEX_PHYSOUTDEV] : found[NFQA_IFINDEX_OUTDEV]);
    if (found[NFQA_CT] != nullptr) packet.as_sent = sent_flow(found[NFQA_CT], number_of(found[NFQA_CT_INFO]));
    ++counters_.packets;
    counters_.bytes += packet.raw.original_bytes;
    packets_.push_back(packet);
  }
}

void NfQueue::verdict(std::uint32_t id, const PacketVerdict& what) {
  if (verdicts_.size() + kVerdictBytes + what.changed.size() > kVerdictsBytes) flush();
  constexpr std::array<int, 3> kWords = {NF_DROP, NF_ACCEPT, NF_REPEAT};
  const std::size_t start = verdicts_.size();
  verdicts_.resize(start + kVerdictBytes + what.changed.size());
  nlmsghdr* const head = nfq_nlmsg_put(reinterpret_cast<char*>(verdicts_.data() + start), NFQNL_MSG_VERDICT, settings_.number);
  nfq_nlmsg_verdict_put(head, static_cast<int>(id), kWords[static_cast<std::size_t>(what.verdict)]);
  if (what.mark) nfq_nlmsg_verdict_put_mark(head, *what.mark);
  if (!what.changed.empty()) nfq_nlmsg_verdict_put_pkt(head, what.changed.data(), static_cast<std::uint32_t>(what.changed.size()));
  verdicts_.resize(start + MNL_ALIGN(head->nlmsg_len));
}

void NfQueue::flush() {
  if (verdicts_.empty()) return;
  if (batch_bytes_ >= kManyBytes || !sender_.settled()) return sender_.give(verdicts_);
  sender_.send(verdicts_);
}

void NfQueue::settle() { sender_.settle(); }

NfQueueCounters NfQueue::counters() {
  if (const std::string line = line_of(statistics_, settings_.number); !line.empty()) {
    counters_.waiting = column(line, 2);
    counters_.queue_dropped = column(line, 5);
    counters_.user_dropped = column(line, 6);
  }
  NfQueueCounters now = counters_;
  now.verdict_errors += sender_.errors();
  return now;
}

bool NfQueue::is_taken(int statistics, std::uint16_t number) { return !line_of(statistics, number).empty(); }

}  // namespace weir::capture
