"""Simplified Chinese."""

from collections.abc import Mapping

from signer.languages.messages import Message

MESSAGES: Mapping[Message, str] = {
    Message.TITLE: "{purpose}:资产 {asset},网络 {network},来自 {source}",
    Message.WITHDRAWAL: "提款",
    Message.GATHER: "归集",
    Message.TOP_UP: "补充手续费",
    Message.SWEEP: "转入冷钱包",
    Message.REFILL: "补充热钱包",
    Message.GOVERNANCE: "治理变更",
    Message.PAYS: "支付 {amount}",
    Message.TO: "收款地址 {address} [{owner}]",
    Message.OUTSIDE: "外部地址",
    Message.HOT: "我方热钱包",
    Message.COLD: "我方冷金库",
    Message.DEPOSIT: "我方充值地址",
    Message.CHANGE: "找零 {amount}",
    Message.IN_ALL: "合计 {amount}",
    Message.FEE: "手续费最多 {amount}",
    Message.NONCE: "{address} 的 nonce {nonce}",
    Message.INTENT: "付款意图 {intent}:申请人 {requester},批准人 {approvers}",
    Message.NOBODY: "无人",
    Message.CHECK_WORDS: "核对词:{words}",
    Message.POLICY: "策略 {code}:{text}",
    Message.CAPS: "未超过限额",
    Message.DESTINATIONS: "所有收款地址均获允许",
    Message.APPROVALS: "每笔付款均已获得所需批准",
    Message.FEES: "手续费未超过上限",
    Message.LOOK_ALIKE: "!!! 相似地址警告:{address}",
    Message.LOOK_ALIKE_KNOWN: "!!! 这不是已知地址 {address}:请逐个字符核对",
    Message.SAFE: "Safe {address},版本 {version},nonce {nonce}",
    Message.EXECUTES: "执行 Safe {name},{address}",
    Message.CONTRACT: "代币 {symbol},{decimals} 位小数,合约 {address}",
    Message.REPLACES: "将取代本签名器此前以 nonce {nonce} 签署的内容",
    Message.REPLACES_PAYMENTS: "将取代同一批付款的先前交易,其手续费为 {fee}",
    Message.SIGN: "确认按以上内容签名吗?",
    Message.SIGN_LOOK_ALIKE: "有收款地址与已知地址相似但并不相同。仍要签名吗?",
    Message.YES: "是",
    Message.ANSWERS: "[是/N]",
}
