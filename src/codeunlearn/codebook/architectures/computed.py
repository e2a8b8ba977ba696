"""Settings that decide what reaches a bottleneck and that no tensor shows, of all families but T5's."""

COMPUTES = (
    # heads and their scores
    "num_attention_heads", "num_key_value_heads", "head_dim", "query_pre_attn_scalar", "attn_logit_softcapping",
    "attention_multiplier", "scale_attn_weights", "scale_attn_by_inverse_layer_idx", "clip_qkv", "is_causal",
    "use_bidirectional_attention",
    # what a token sees
    "sliding_window", "layer_types", "no_rope_layers", "local_attention", "global_attn_every_n_layers",
    # where it stands
    "rope_parameters", "position_buckets", "max_relative_positions", "pos_att_type", "relative_attention",
    "share_att_key", "norm_rel_ebd", "position_biased_input",
    # layers
    "hidden_act", "hidden_activation", "activation_function", "activation", "use_parallel_residual", "rms_norm_eps",
    "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps", "scale_embedding", "embedding_multiplier",
    "residual_multiplier",
)  # fmt: skip
