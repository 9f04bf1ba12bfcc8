"""Traditional Chinese."""

from collections.abc import Mapping

from signer.languages.messages import Message

MESSAGES: Mapping[Message, str] = {
    Message.TITLE: "{purpose}:資產 {asset},網路 {network},來自 {source}",
    Message.WITHDRAWAL: "提款",
    Message.GATHER: "歸集",
    Message.TOP_UP: "補充手續費",
    Message.SWEEP: "轉入冷錢包",
    Message.REFILL: "補充熱錢包",
    Message.GOVERNANCE: "治理變更",
    Message.PAYS: "支付 {amount}",
    Message.TO: "收款地址 {address} [{owner}]",
    Message.OUTSIDE: "外部地址",
    Message.HOT: "我方熱錢包",
    Message.COLD: "我方冷金庫",
    Message.DEPOSIT: "我方儲值地址",
    Message.CHANGE: "找零 {amount}",
    Message.IN_ALL: "合計 {amount}",
    Message.FEE: "手續費最多 {amount}",
    Message.NONCE: "{address} 的 nonce {nonce}",
    Message.INTENT: "付款意圖 {intent}:申請人 {requester},核准人 {approvers}",
    Message.NOBODY: "無人",
    Message.CHECK_WORDS: "核對詞:{words}",
    Message.POLICY: "政策 {code}:{text}",
    Message.CAPS: "未超過限額",
    Message.DESTINATIONS: "所有收款地址均獲允許",
    Message.APPROVALS: "每筆付款均已取得所需核准",
    Message.FEES: "手續費未超過上限",
    Message.LOOK_ALIKE: "!!! 相似地址警告:{address}",
    Message.LOOK_ALIKE_KNOWN: "!!! 這不是已知地址 {address}:請逐字元核對",
    Message.SAFE: "Safe {address},版本 {version},nonce {nonce}",
    Message.EXECUTES: "執行 Safe {name},{address}",
    Message.CONTRACT: "代幣 {symbol},{decimals} 位小數,合約 {address}",
    Message.REPLACES: "將取代本簽名器先前以 nonce {nonce} 簽署的內容",
    Message.REPLACES_PAYMENTS: "將取代同一批付款的先前交易,其手續費為 {fee}",
    Message.SIGN: "確認依以上內容簽名嗎?",
    Message.SIGN_LOOK_ALIKE: "有收款地址與已知地址相似但並不相同。仍要簽名嗎?",
    Message.YES: "是",
    Message.ANSWERS: "[是/N]",
}
