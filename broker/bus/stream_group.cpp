#include "broker/bus/stream_group.h"

#include <algorithm>
#include <utility>

#include "broker/bus/stream_entry.h"
#include "redis/redis_reply.h"

namespace weir {

StreamGroup::StreamGroup(asio::io_context& io, const RedisBusOptions& options, std::string role, Host& host)
    : host_(host), connection_(io, options, std::move(role), *this) {}

void StreamGroup::open() {
  is_open_ = true;
  connection_.open();
}

void StreamGroup::close() {
  is_open_ = is_asked_ = false;
  pings_ = 0;
  members_.clear();
  connection_.close();
}

bool StreamGroup::add(StreamTurn turn) {
  const bool has_key = std::any_of(members_.begin(), members_.end(), [&](const StreamTurn& member) {
    return member.stream->key == turn.stream->key;
  });
  if (!has_key) members_.push_back(std::move(turn));
  return !has_key;
}

void StreamGroup::drop_void_members() {
  std::erase_if(members_, [](const StreamTurn& member) { return !member.is_current(); });
}

void StreamGroup::ask(std::chrono::milliseconds time) {
  // Never 0, which is for ever: the answer is also the sign of life.
  const std::string block = std::to_string(std::max<std::chrono::milliseconds::rep>(time.count(), 1));
  std::vector<std::string> ids;
  ids.reserve(members_.size());
  std::vector<std::string_view> words = {"XREAD", "COUNT", "1", "BLOCK", block, "STREAMS"};
  words.reserve(words.size() + 2 * members_.size());
  for (const StreamTurn& member : members_) {
    words.emplace_back(member.stream->key);
    ids.push_back(format_stream_id(member.stream->after));
  }
  words.insert(words.end(), ids.begin(), ids.end());
  connection_.send(words);
  connection_.flush();
  is_asked_ = true;
  asked_at_ = std::chrono::steady_clock::now();
}

void StreamGroup::on_reply(const redisReply& reply) {
  if (pings_ > 0) {
    --pings_;
    return;
  }
  if (!is_asked_) return connection_.fail("an answer to no question");
  is_asked_ = false;
  if (reply.type == REDIS_REPLY_ERROR) return host_.on_group_refused(*this, take_members());
  std::vector<StreamTurn> news;
  if (!take_news(reply, news)) return connection_.fail("an answer that is not XREAD's");
  host_.on_group_idle(*this, std::move(news));
}

// Redis answers for those that have news, in the order in which they were asked for.
bool StreamGroup::take_news(const redisReply& reply, std::vector<StreamTurn>& news) {
  if (reply.type == REDIS_REPLY_NIL) return true;
  if (reply.type != REDIS_REPLY_ARRAY) return false;
  std::vector<StreamTurn> quiet;
  auto member = members_.begin();
  for (std::size_t i = 0; i < reply.elements; ++i) {
    const auto element = stream_news_of(reply, i);
    if (!element) return false;
    for (; member != members_.end() && member->stream->key != element->key; ++member)
      quiet.push_back(*member);
    if (member == members_.end()) return false;
    news.push_back(*member++);
  }
  quiet.insert(quiet.end(), member, members_.end());
  members_ = std::move(quiet);
  return true;
}

void StreamGroup::on_ping_due() {
  if (is_asked_) return;  // Redis would answer a PING only behind the XREAD. That answer is the sign of life.
  constexpr std::string_view kPing[] = {"PING"};
  ++pings_;
  connection_.send(kPing);
}

void StreamGroup::on_down() {
  is_asked_ = false;
  pings_ = 0;
  host_.on_group_down(*this, take_members());
}

}  // namespace weir
