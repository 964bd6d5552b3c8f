#include "broker/api/history.h"

#include <utility>
#include <vector>

#include "broker/api/parameters.h"

namespace weir {
namespace {

JsonObject message_json(const HistoryMessage& message) {
  JsonObject json;
  json.add_text("id", message.id);
  if (!message.type.empty()) json.add_text("type", message.type);
  return json.add_json("data", message.data).add_number("time", message.time);
}

Reply page_reply(const HistoryPage& page) {
  std::vector<JsonObject> messages;
  messages.reserve(page.messages.size());
  for (const HistoryMessage& message : page.messages) messages.push_back(message_json(message));
  JsonObject json;
  json.add_list("messages", messages);
  json.add_text("next", page.next);
  page.missed ? json.add_number("missed", *page.missed) : json.add_null("missed");
  return json_reply(200, json);
}

Reply reply_to(const HistoryPage& page) {
  const std::string why = page.why.empty() ? "" : ": " + page.why;
  Reply reply;
  switch (page.outcome) {
    case HistoryPage::Outcome::kRead:
      return page_reply(page);
    case HistoryPage::Outcome::kNoHistory:
      return error_reply(404, "this channel has no history: it is neither durable nor a Redis Stream");
    case HistoryPage::Outcome::kBadId:
      return error_reply(400, "after is no id of this channel" + why);
    case HistoryPage::Outcome::kUnavailable:
      reply = error_reply(503, "the history can't be read now" + why);
      reply.headers.push_back({"Retry-After", "1"});
      reply.refused = Refused::kBusUnavailable;
      return reply;
    case HistoryPage::Outcome::kRefused:
      break;
  }
  reply = error_reply(502, "the bus refuses to read the history" + why);
  reply.refused = Refused::kBusRefused;
  return reply;
}

}  // namespace

Result<HistoryQuery> history_query(std::string channel, const QueryParameters& query) {
  HistoryQuery wanted{.channel = std::move(channel), .after = {}, .messages_max = kPageMessages};
  const std::string* after = find_last(query, parameter::kAfter);
  if (after != nullptr && !after->empty()) wanted.after = *after;
  if (const std::string* limit = find_last(query, parameter::kLimit)) {
    const auto messages = parse_whole_number<std::size_t>(*limit);
    if (!messages || *messages == 0 || *messages > kPageMessagesMax) {
      return Error{"limit is not a number of messages from 1 to " + std::to_string(kPageMessagesMax)};
    }
    wanted.messages_max = *messages;
  }
  return wanted;
}

Reply history_reply(const HistoryPage& page) {
  return with_headers(reply_to(page), {{"Cache-Control", "no-store"}});
}

}  // namespace weir
